//! `phial manifest rm`.

use std::process::ExitCode;

use clap::Args;

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial manifest rm localhost:5000/app:1";

/// What `phial manifest rm` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rm {
    /// Names of lists
    #[arg(value_name = "LIST", required = true)]
    lists: Vec<String>,
}

impl Execute for Rm {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        each(&self.lists, |name| engine.remove_manifest_list(name).cannot(|| format!("remove manifest list {name}")))
    }
}
