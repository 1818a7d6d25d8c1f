//! `phial volume prune`.

use std::process::ExitCode;

use clap::Args;
use engine::VOLUME_PRUNE_FILTERS;

use super::Execute;
use crate::commands::prune::{PruneFlags, report};
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial volume prune          those without a name that no container uses
  phial volume prune -af      all that no container uses, without asking";

/// What `phial volume prune` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Prune {
    /// Also those that have a name
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    flags: PruneFlags,
}

impl Execute for Prune {
    const FILTERS: &'static [&'static str] = VOLUME_PRUNE_FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || "prune volumes";
        let filters = self.flags.parse(Self::FILTERS).cannot(doing)?;
        let all = self.all || filters.switch("all").cannot(doing)?.unwrap_or(false);
        let engine = context.engine()?;
        let which = if all { "all" } else { "anonymous" };
        let warning = format!("WARNING! This will remove {which} local volumes not used by at least one container.");
        self.flags.confirm(&warning, "volume prune")?;
        let pruned = engine.prune_volumes(all, &filters).cannot(doing)?;
        report(&[("Deleted Volumes:", &pruned.names)], pruned.bytes)?;
        Ok(ExitCode::SUCCESS)
    }
}
