//! `phial images`.

use std::process::ExitCode;

use clap::Args;
use engine::{Filters, IMAGE_FILTERS, ImageListOptions, ImageSummary, ImageUsage};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::{Column, ListFlags, Listing};
use crate::output::human;

/// What docker says of what it has not computed.
const UNKNOWN: &str = "N/A";

const EXAMPLES: &str = "\
Examples:
  phial images
  phial images alpine          only those of this name
  phial images -q -f dangling=true
  phial images --format '{{.Repository}}:{{.Tag}} {{.Size}}'";

/// Docker's columns.
pub(in crate::commands) static LISTING: Listing<ImageSummary> = Listing {
    kind: "image",
    columns: &[
        Column::new("Containers", "CONTAINERS", |image, _| measured(image, |usage| usage.containers.to_string())),
        Column::new("CreatedAt", "CREATED AT", |image, _| {
            image.created.as_deref().map_or_else(|| UNKNOWN.to_owned(), human::time)
        }),
        Column::new("CreatedSince", "CREATED", |image, _| {
            image.created.as_deref().map_or_else(|| UNKNOWN.to_owned(), engine::ago)
        }),
        Column::new("Digest", "DIGEST", |image, _| image.digest.as_ref().map_or_else(none, ToString::to_string)),
        Column::new("ID", "IMAGE ID", |image, whole| if whole { image.id.to_string() } else { image.id.short() }),
        Column::new("Repository", "REPOSITORY", |image, _| image.repository.clone().unwrap_or_else(none)),
        Column::new("SharedSize", "SHARED SIZE", |image, _| measured(image, |usage| human::size(usage.shared))),
        Column::new("Size", "SIZE", |image, _| human::size(image.size)),
        Column::new("Tag", "TAG", |image, _| image.tag.clone().unwrap_or_else(none)),
        Column::new("UniqueSize", "UNIQUE SIZE", |image, _| measured(image, |usage| human::size(usage.unique))),
        Column::new("VirtualSize", "VIRTUAL SIZE", |image, _| human::size(image.size)),
    ],
    table: &["Repository", "Tag", "ID", "CreatedSince", "Size"],
    quiet: "ID",
    label: None,
};

/// The table with `--digests`.
const WITH_DIGESTS: &[&str] = &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"];

/// What docker shows for a name that is not there.
fn none() -> String {
    "<none>".to_owned()
}

/// What only `system df` measures.
fn measured(image: &ImageSummary, shown: fn(&ImageUsage) -> String) -> String {
    image.usage.as_ref().map_or_else(|| UNKNOWN.to_owned(), shown)
}

/// What `phial images` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Images {
    /// Show all images; there are none between others that would be left out
    #[arg(short, long)]
    all: bool,
    /// Show digests of manifests
    #[arg(long)]
    digests: bool,
    #[command(flatten)]
    list: ListFlags,
    /// Only those that match: KEY=VALUE, such as dangling=true or reference='*:latest'
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Show ids whole
    #[arg(long)]
    no_trunc: bool,
    /// Only images of this name, and of this tag if there is one
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Execute for Images {
    const FILTERS: &'static [&'static str] = IMAGE_FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let table = if self.digests { WITH_DIGESTS } else { LISTING.table };
        let printer = LISTING.printer_of(&self.list, self.no_trunc, table)?;
        let filters = Filters::parse(&self.filters, Self::FILTERS).cannot(|| "list images")?;
        let options = ImageListOptions { name: self.name, filters };
        let mut images = context.engine()?.images(&options).cannot(|| "list images")?;
        if self.list.quiet {
            // An image with several names is one id, and the lines of one image are next to each other.
            images.dedup_by_key(|image| image.id);
        }
        printer.print(&images)?;
        Ok(ExitCode::SUCCESS)
    }
}
