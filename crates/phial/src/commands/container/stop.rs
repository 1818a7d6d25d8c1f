//! `phial stop`.

use std::process::ExitCode;

use clap::Args;

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial stop web
  phial stop -t 60 db cache    with a minute's time before SIGKILL";

/// What `phial stop` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Stop {
    /// Seconds between the stop signal and SIGKILL; -1 never kills [default: the container's own, or 10]
    #[arg(short = 't', long = "timeout", visible_alias = "time", value_name = "SECONDS", allow_hyphen_values = true)]
    timeout: Option<i64>,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Stop {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        each(&self.containers, |name| {
            let container = engine.container(name);
            container.and_then(|container| engine.stop(&container, self.timeout)).cannot(|| format!("stop {name}"))?;
            output::print_line(name)
        })
    }
}
