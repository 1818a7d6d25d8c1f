//! `phial volume prune`.

use std::process::ExitCode;

use clap::Args;
use engine::{Filters, VOLUME_PRUNE_FILTERS};

use super::Execute;
use crate::commands::container::prune::report;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::confirm::confirm;

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
    /// Only those that match: label=KEY[=VALUE] or label!=KEY[=VALUE]
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Execute for Prune {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || "prune volumes";
        let filters = Filters::parse(&self.filters, VOLUME_PRUNE_FILTERS).cannot(doing)?;
        let all = self.all || filters.switch("all").cannot(doing)?.unwrap_or(false);
        let engine = context.engine()?;
        if !self.force {
            let which = if all { "all" } else { "anonymous" };
            let warning =
                format!("WARNING! This will remove {which} local volumes not used by at least one container.");
            confirm(&warning, "volume prune")?;
        }
        report("Deleted Volumes:", &engine.prune_volumes(all, &filters).cannot(doing)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
