//! `phial network prune`.

use std::process::ExitCode;

use clap::Args;
use engine::NETWORK_PRUNE_FILTERS;

use super::Execute;
use crate::commands::prune::{PruneFlags, gone};
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial network prune
  phial network prune -f --filter until=24h     those that are older than a day, without asking";

/// What `phial network prune` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Prune {
    #[command(flatten)]
    flags: PruneFlags,
}

impl Execute for Prune {
    const FILTERS: &'static [&'static str] = NETWORK_PRUNE_FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || "prune networks";
        let filters = self.flags.parse(Self::FILTERS).cannot(doing)?;
        let engine = context.engine()?;
        let warning = "WARNING! This will remove all custom networks not used by at least one running container.";
        self.flags.confirm(warning, "network prune")?;
        let pruned = engine.prune_networks(&filters).cannot(doing)?;
        gone(&[("Deleted Networks:", &pruned.names)])?;
        Ok(ExitCode::SUCCESS)
    }
}
