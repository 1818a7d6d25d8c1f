//! `phial image prune`.

use std::process::ExitCode;

use clap::Args;
use engine::{Filters, IMAGE_PRUNE_FILTERS, RemovedImage};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::confirm::confirm;
use crate::output::{human, print};

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
    /// Only those that match: until=TIME, label=KEY[=VALUE] or label!=KEY[=VALUE]
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Execute for Prune {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let filters = Filters::parse(&self.filters, IMAGE_PRUNE_FILTERS).cannot(|| "prune images")?;
        let engine = context.engine()?;
        if !self.force {
            let what =
                if self.all { "images without at least one container associated to them" } else { "dangling images" };
            confirm(&format!("WARNING! This will remove all {what}."), "image prune")?;
        }
        let pruned = engine.prune_images(self.all, &filters).cannot(|| "prune images")?;
        let line = |removed: &RemovedImage| match removed {
            RemovedImage::Untagged(name) => format!("untagged: {name}\n"),
            RemovedImage::Deleted(digest) => format!("deleted: {digest}\n"),
        };
        let mut text: String = pruned.removed.iter().map(line).collect();
        if !text.is_empty() {
            text = format!("Deleted Images:\n{text}\n");
        }
        print(&format!("{text}Total reclaimed space: {}\n", human::size(pruned.bytes)))?;
        Ok(ExitCode::SUCCESS)
    }
}
