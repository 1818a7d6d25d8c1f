//! `phial system prune`.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use engine::{Filters, Pruned};

use super::Execute;
use crate::commands::prune::{self, PruneFlags, report};
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::human;

const EXAMPLES: &str = "\
Examples:
  phial system prune
  phial system prune -af --filter until=24h       everything unused that is older than a day, without asking
  phial system prune --volumes                    also volumes without a name";

/// What `phial system prune` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Prune {
    /// All images that no container is made from, not only those without a name
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    flags: PruneFlags,
    /// Also volumes that have no name and that no container uses
    #[arg(long)]
    volumes: bool,
}

impl Execute for Prune {
    const FILTERS: &'static [&'static str] = &["label", "label!", "until"];

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let filters = self.flags.parse(Self::FILTERS).cannot(|| "prune")?;
        // All that can be refused is refused before anything goes.
        let of_cache = self.of_cache(&filters)?;
        if self.volumes && filters.has("until") {
            return Err(Failure::new("cannot prune: the \"until\" filter is not supported with \"--volumes\""));
        }
        let engine = context.engine()?;
        self.flags.confirm(&self.warning(), "system prune")?;
        // Containers first: what only they used can go then.
        let containers = engine.prune_containers(&filters).cannot(|| "prune containers")?;
        let volumes = if self.volumes {
            engine.prune_volumes(false, &filters).cannot(|| "prune volumes")?
        } else {
            Pruned::default()
        };
        let networks = engine.prune_networks(&filters).cannot(|| "prune networks")?;
        let images = engine.prune_images(self.all, &filters).cannot(|| "prune images")?;
        let cache = of_cache.map(|options| build::prune(&engine, &options)).transpose();
        let cache = cache.cannot(|| "prune the build cache")?.unwrap_or_default();
        let records: Vec<String> = cache.records.into_iter().map(|record| record.id).collect();
        let gone: [(&str, &[String]); 5] = [
            ("Deleted Containers:", &containers.names),
            ("Deleted Networks:", &networks.names),
            ("Deleted Volumes:", &volumes.names),
            ("Deleted Images:", &prune::images(&images)),
            ("Deleted build cache objects:", &records),
        ];
        let bytes = [containers.bytes, volumes.bytes, images.bytes, cache.bytes];
        report(&gone, bytes.into_iter().fold(0, u64::saturating_add))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Prune {
    /// What goes of what builds have left, after the images, with which it shares layers; None where labels are asked for, as it has none.
    fn of_cache(&self, filters: &Filters) -> Result<Option<build::PruneOptions>> {
        let unused_for = super::super::builder::unused_for(filters)?;
        let has_labels = filters.has("label") || filters.has("label!");
        Ok((!has_labels).then(|| build::PruneOptions { all: self.all, unused_for, ..build::PruneOptions::default() }))
    }

    /// Docker's words.
    fn warning(&self) -> String {
        let mut text = String::from("WARNING! This will remove:\n  - all stopped containers\n");
        text += "  - all networks not used by at least one container\n";
        if self.volumes {
            text += "  - all anonymous volumes not used by at least one container\n";
        }
        text += if self.all {
            "  - all images without at least one container associated to them\n"
        } else {
            "  - all dangling images\n"
        };
        text += if self.all { "  - all build cache\n" } else { "  - unused build cache\n" };
        if !self.flags.filters.is_empty() {
            text += "\n  Items to be pruned will be filtered with:\n";
            for filter in &self.flags.filters {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "  - {}", human::harmless(filter));
            }
        }
        text
    }
}
