//! `phial stop`.

use std::process::ExitCode;

use clap::Args;
use engine::StopOptions;
use engine::config::Signal;

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
    #[command(flatten)]
    stopping: Stopping,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

/// How a container is stopped.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Stopping {
    /// The first signal, by name or number [default: the container's own, or TERM]
    #[arg(short, long)]
    signal: Option<String>,
    /// Seconds between that signal and SIGKILL; -1 never kills [default: the container's own, or 10]
    #[arg(short = 't', long = "timeout", visible_alias = "time", value_name = "SECONDS", allow_hyphen_values = true)]
    timeout: Option<i64>,
}

impl Stopping {
    /// What is asked for.
    ///
    /// # Errors
    /// For what is no signal.
    pub(super) fn options(&self) -> engine::Result<StopOptions> {
        let signal = self.signal.as_deref().map(|text| Signal::parse("--signal", text)).transpose()?;
        Ok(StopOptions { signal, timeout: self.timeout })
    }
}

impl Execute for Stop {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let options = self.stopping.options().cannot(|| "stop")?;
        let engine = context.engine()?;
        each(&self.containers, |name| {
            let container = engine.container(name);
            container.and_then(|container| engine.stop(&container, options)).cannot(|| format!("stop {name}"))?;
            output::print_line(name)
        })
    }
}
