//! `phial wait`.

use std::process::ExitCode;

use clap::Args;

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial wait job       prints the job's exit code when it has ended";

/// What `phial wait` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Wait {
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Wait {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        each(&self.containers, |name| {
            let container = engine.container(name);
            let code = container.and_then(|container| engine.wait(&container)).cannot(|| format!("wait for {name}"))?;
            output::print_line(&code.to_string())
        })
    }
}
