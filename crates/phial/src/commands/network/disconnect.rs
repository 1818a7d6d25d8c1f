//! `phial network disconnect`.

use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial network disconnect web app";

/// What `phial network disconnect` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Disconnect {
    /// That it is not on the network is no error
    #[arg(short, long)]
    force: bool,
    /// Name or id of a network
    #[arg(value_name = "NETWORK")]
    network: String,
    /// Name or id of a container
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Execute for Disconnect {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let disconnected = engine
            .container(&self.container)
            .and_then(|container| engine.disconnect_network(&self.network, &container, self.force));
        disconnected.cannot(|| format!("disconnect {} from network {}", self.container, self.network))?;
        Ok(ExitCode::SUCCESS)
    }
}
