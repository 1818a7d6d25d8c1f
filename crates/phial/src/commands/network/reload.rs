//! `phial network reload`.

use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial network reload                          after somebody has flushed all rules";

/// What `phial network reload` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Reload {}

impl Execute for Reload {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        context.engine()?.reload_networks().cannot(|| "reload networks")?;
        Ok(ExitCode::SUCCESS)
    }
}
