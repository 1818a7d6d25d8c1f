//! `phial system sync`.

use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial system sync && echo 'a power failure takes no image'";

/// What `phial system sync` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Sync {
    /// Print nothing
    #[arg(short, long)]
    quiet: bool,
}

impl Execute for Sync {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let synced = context.engine()?.sync_images().cannot(|| "sync the images")?;
        if !self.quiet {
            output::print_line(&format!("images written to disk: {synced}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
