//! `phial kill`.

use std::process::ExitCode;

use clap::Args;
use engine::config::Signal;

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial kill web
  phial kill -s HUP web db";

/// What `phial kill` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Kill {
    /// The signal, by name or number [default: KILL]
    #[arg(short, long)]
    signal: Option<String>,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Kill {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let parse = |text| Signal::parse("--signal", text);
        let signal = self.signal.as_deref().map_or(Ok(Signal::KILL), parse).cannot(|| "kill")?;
        let engine = context.engine()?;
        each(&self.containers, |name| {
            let container = engine.container(name);
            container.and_then(|container| engine.kill(&container, signal)).cannot(|| format!("kill {name}"))?;
            output::print_line(name)
        })
    }
}
