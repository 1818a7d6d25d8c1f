//! `phial restart`.

use std::process::ExitCode;

use clap::Args;

use super::stop::Stopping;
use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial restart web
  phial restart -t 60 db cache    with a minute's time before SIGKILL";

/// What `phial restart` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Restart {
    #[command(flatten)]
    stopping: Stopping,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Restart {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let options = self.stopping.options().cannot(|| "restart")?;
        let engine = context.engine()?;
        each(&self.containers, |name| {
            let container = engine.container(name);
            container.and_then(|container| engine.restart(&container, options)).cannot(|| format!("restart {name}"))?;
            output::print_line(name)
        })
    }
}
