//! What all `prune` commands have alike: their flags, the question, the report.

use clap::Args;
use engine::{Filters, PrunedImages, RemovedImage};

use crate::failure::Result;
use crate::output::{self, human, print};

/// What every `prune` takes.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct PruneFlags {
    /// Only what matches: label=KEY[=VALUE], label!=KEY[=VALUE] or, but for volumes, until=TIME
    #[arg(long = "filter", value_name = "FILTER")]
    pub(super) filters: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl PruneFlags {
    /// The filters, which must be among those `known`.
    pub(super) fn parse(&self, known: &[&str]) -> engine::Result<Filters> {
        Filters::parse(&self.filters, known)
    }

    /// Asks, unless that is not wanted.
    pub(super) fn confirm(&self, warning: &str, doing: &str) -> Result<()> {
        if self.force { Ok(()) } else { output::confirm::confirm(warning, doing) }
    }
}

/// Prints what has gone, under headings, and how much room that makes.
pub(super) fn report(all: &[(&str, &[String])], bytes: u64) -> Result<()> {
    gone(all)?;
    print(&format!("Total reclaimed space: {}\n", human::size(bytes)))
}

/// Prints what has gone, under headings.
pub(super) fn gone(all: &[(&str, &[String])]) -> Result<()> {
    let all = all.iter().filter(|(_, names)| !names.is_empty());
    let text: Vec<String> = all.map(|(heading, names)| format!("{heading}\n{}\n\n", names.join("\n"))).collect();
    print(&text.concat())
}

/// What has gone of images, a line each.
pub(super) fn images(pruned: &PrunedImages) -> Vec<String> {
    pruned.removed.iter().map(|removed| removed_image(removed, "untagged", "deleted")).collect()
}

/// What was done to an image, in these words.
pub(super) fn removed_image(removed: &RemovedImage, untagged: &str, deleted: &str) -> String {
    match removed {
        RemovedImage::Untagged(name) => format!("{untagged}: {name}"),
        RemovedImage::Deleted(digest) => format!("{deleted}: {digest}"),
    }
}
