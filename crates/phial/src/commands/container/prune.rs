//! `phial container prune`.

use std::process::ExitCode;

use clap::Args;
use engine::CONTAINER_PRUNE_FILTERS;

use super::Execute;
use crate::commands::prune::{PruneFlags, report};
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial container prune
  phial container prune -f --filter until=24h     created more than a day ago, without asking";

/// What `phial container prune` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Prune {
    #[command(flatten)]
    flags: PruneFlags,
}

impl Execute for Prune {
    const FILTERS: &'static [&'static str] = CONTAINER_PRUNE_FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let filters = self.flags.parse(Self::FILTERS).cannot(|| "prune containers")?;
        let engine = context.engine()?;
        self.flags.confirm("WARNING! This will remove all stopped containers.", "container prune")?;
        let pruned = engine.prune_containers(&filters).cannot(|| "prune containers")?;
        report(&[("Deleted Containers:", &pruned.names)], pruned.bytes)?;
        Ok(ExitCode::SUCCESS)
    }
}
