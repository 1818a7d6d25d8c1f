//! `phial container prune`.

use std::process::ExitCode;

use clap::Args;
use engine::{CONTAINER_PRUNE_FILTERS, Filters, Pruned};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::confirm::confirm;
use crate::output::{human, print};

const EXAMPLES: &str = "\
Examples:
  phial container prune
  phial container prune -f --filter until=24h     created more than a day ago, without asking";

/// What `phial container prune` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Prune {
    /// Only those that match: until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Execute for Prune {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let filters = Filters::parse(&self.filters, CONTAINER_PRUNE_FILTERS).cannot(|| "prune containers")?;
        let engine = context.engine()?;
        if !self.force {
            confirm("WARNING! This will remove all stopped containers.", "container prune")?;
        }
        report("Deleted Containers:", &engine.prune_containers(&filters).cannot(|| "prune containers")?)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints what has gone, and how much room that makes.
pub(in crate::commands) fn report(heading: &str, pruned: &Pruned) -> Result<()> {
    let mut text = String::new();
    if !pruned.names.is_empty() {
        text = format!("{heading}\n{}\n\n", pruned.names.join("\n"));
    }
    print(&format!("{text}Total reclaimed space: {}\n", human::size(pruned.bytes)))
}
