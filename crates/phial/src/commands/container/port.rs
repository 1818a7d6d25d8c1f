//! `phial port`.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use net::{Protocol, Published};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

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
        let name = &self.container;
        let doing = || format!("list ports of {name}");
        let wanted = self.port.as_deref().map(|port| parse(port).ok_or_else(|| no_port(name, port))).transpose()?;
        let engine = context.engine()?;
        let container = engine.container(name).cannot(doing)?;
        let published = engine.published_ports(&container).cannot(doing)?;
        let lines: Vec<String> = match wanted {
            None => {
                published.iter().map(|port| format!("{}/{} -> {}", port.port, port.protocol, place(port))).collect()
            }
            Some((number, protocol)) => {
                let is_it = |port: &&Published| (port.port, port.protocol) == (number, protocol);
                let found: Vec<String> = published.iter().filter(is_it).map(place).collect();
                if found.is_empty() {
                    return Err(Failure::new(format!("no public port '{number}/{protocol}' published for {name}")));
                }
                found
            }
        };
        lines.iter().try_for_each(|line| output::print_line(line))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn place(port: &Published) -> String {
    SocketAddr::new(port.host, port.host_port).to_string()
}

fn parse(text: &str) -> Option<(u16, Protocol)> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    Some((number.parse().ok()?, Protocol::from_name(protocol)?))
}

fn no_port(container: &str, port: &str) -> Failure {
    Failure::new(format!("cannot list ports of {container}: {port}: not a port"))
        .with_hint("give a number, with or without /tcp, /udp or /sctp behind it")
}
