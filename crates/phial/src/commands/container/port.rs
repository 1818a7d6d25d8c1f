//! `phial port`.

use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};

const EXAMPLES: &str = "\
Examples:
  phial port web
  phial port web 80/tcp";

/// What `phial port` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Port {
    /// Name or id of a container
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// A port of the container: where it is published
    #[arg(value_name = "PRIVATE_PORT[/PROTO]")]
    port: Option<String>,
}

impl Execute for Port {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let container = &self.container;
        context.engine()?.container(container).cannot(|| format!("list ports of {container}"))?;
        // Ports are published by bridge networks, which no container has: there is nothing to list.
        let Some(port) = &self.port else { return Ok(ExitCode::SUCCESS) };
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        if number.parse::<u16>().is_err() || !matches!(protocol, "tcp" | "udp" | "sctp") {
            return Err(Failure::new(format!("cannot list ports of {container}: {port}: not a port"))
                .with_hint("give a number, with or without /tcp, /udp or /sctp behind it"));
        }
        Err(Failure::new(format!("no public port '{number}/{protocol}' published for {container}")))
    }
}
