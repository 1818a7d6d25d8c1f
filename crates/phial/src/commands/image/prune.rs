//! `phial image prune`.

use std::process::ExitCode;

use clap::Args;
use engine::IMAGE_PRUNE_FILTERS;

use super::Execute;
use crate::commands::prune::{PruneFlags, images, report};
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial image prune
  phial image prune -a -f --filter until=24h      unused, and built more than a day ago; without asking";

/// What `phial image prune` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Prune {
    /// All images that no container is made from, not only those without a name
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    flags: PruneFlags,
}

impl Execute for Prune {
    const FILTERS: &'static [&'static str] = IMAGE_PRUNE_FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let filters = self.flags.parse(Self::FILTERS).cannot(|| "prune images")?;
        let engine = context.engine()?;
        let what =
            if self.all { "images without at least one container associated to them" } else { "dangling images" };
        self.flags.confirm(&format!("WARNING! This will remove all {what}."), "image prune")?;
        let pruned = engine.prune_images(self.all, &filters).cannot(|| "prune images")?;
        report(&[("Deleted Images:", &images(&pruned))], pruned.bytes)?;
        Ok(ExitCode::SUCCESS)
    }
}
