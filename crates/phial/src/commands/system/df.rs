//! `phial system df`.

use std::process::ExitCode;

use clap::Args;
use engine::{ContainerSummary, DiskUsage, ImageUsage, KindUsage, VolumeUsage};
use serde_json::{Value, json};

use super::Execute;
use crate::commands::container::ps;
use crate::commands::image::ls;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::{self, Column, ListFlags, Listing};
use crate::output::{human, print};

const EXAMPLES: &str = "\
Examples:
  phial system df
  phial system df -v                   every image, container and volume
  phial system df --format '{{.Type}}: {{.Reclaimable}}'";

/// Docker's columns.
static KINDS: Listing<KindUsage> = Listing {
    kind: "line",
    columns: &[
        Column::new("Active", "ACTIVE", |kind, _| kind.active.to_string()),
        Column::new("Reclaimable", "RECLAIMABLE", |kind, _| reclaimable(kind)),
        Column::new("Size", "SIZE", |kind, _| human::size(kind.size)),
        Column::new("TotalCount", "TOTAL", |kind, _| kind.total.to_string()),
        Column::new("Type", "TYPE", |kind, _| kind.kind.to_owned()),
    ],
    table: &["Type", "TotalCount", "Active", "Size", "Reclaimable"],
    quiet: "Type",
    label: None,
};

static IMAGES: Listing<ImageUsage> = Listing {
    kind: "image",
    columns: &[
        Column::new("Repository", "REPOSITORY", |image, _| image.summary.repository.clone().unwrap_or_else(ls::none)),
        Column::new("Tag", "TAG", |image, _| image.summary.tag.clone().unwrap_or_else(ls::none)),
        Column::new("ID", "IMAGE ID", |image, _| image.summary.id.short()),
        Column::new("CreatedSince", "CREATED", |image, _| ls::created_since(&image.summary)),
        Column::new("Size", "SIZE", |image, _| human::size(image.summary.size)),
        Column::new("SharedSize", "SHARED SIZE", |image, _| human::size(image.shared)),
        Column::new("UniqueSize", "UNIQUE SIZE", |image, _| human::size(image.unique)),
        Column::new("Containers", "CONTAINERS", |image, _| image.containers.to_string()),
    ],
    table: &["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers"],
    quiet: "ID",
    label: None,
};

static CONTAINERS: Listing<ContainerSummary> = Listing {
    kind: "container",
    columns: &[
        Column::new("ID", "CONTAINER ID", |container, _| container.id[..12].to_owned()),
        Column::new("Image", "IMAGE", |container, _| container.image.clone()),
        Column::new("Command", "COMMAND", |container, _| ps::command(container, false)),
        Column::new("LocalVolumes", "LOCAL VOLUMES", |container, _| container.local_volumes.to_string()),
        Column::new("Size", "SIZE", |container, _| human::size(container.size.map_or(0, |(written, _)| written))),
        Column::new("RunningFor", "CREATED", |container, _| container.created.clone()),
        Column::new("Status", "STATUS", |container, _| container.status.clone()),
        Column::new("Names", "NAMES", |container, _| container.name.clone()),
    ],
    table: &["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"],
    quiet: "ID",
    label: None,
};

static VOLUMES: Listing<VolumeUsage> = Listing {
    kind: "volume",
    columns: &[
        Column::new("Name", "VOLUME NAME", |volume, _| volume.name.clone()),
        Column::new("Links", "LINKS", |volume, _| volume.links.to_string()),
        Column::new("Size", "SIZE", |volume, _| human::size(volume.size)),
    ],
    table: &["Name", "Links", "Size"],
    quiet: "Name",
    label: None,
};

/// What `phial system df` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Df {
    /// Show every image, container and volume
    #[arg(short, long)]
    verbose: bool,
    /// Print 'json', or what a Go template makes of each line, with headings after 'table '
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

impl Execute for Df {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let flags = ListFlags { format: self.format.clone(), quiet: false };
        let printer = KINDS.printer(&flags, false);
        let usage = context.engine()?.disk_usage().cannot(|| "measure")?;
        match &self.format {
            Some(format) if self.verbose => print(&format::object(&whole(&usage)?, format)?)?,
            None if self.verbose => print(&verbose(&usage)?)?,
            _ => printer?.print(&usage.kinds)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// With the part that only those take that are not used.
fn reclaimable(kind: &KindUsage) -> String {
    let size = human::size(kind.reclaimable);
    match kind.reclaimable.saturating_mul(100).checked_div(kind.size) {
        Some(percent) => format!("{size} ({percent}%)"),
        None => size,
    }
}

fn verbose(usage: &DiskUsage) -> Result<String> {
    let table = ListFlags::default();
    Ok(format!(
        "Images space usage:\n\n{}\nContainers space usage:\n\n{}\nLocal Volumes space usage:\n\n{}\nBuild cache usage: 0B\n",
        IMAGES.printer(&table, false)?.text(&usage.images)?,
        CONTAINERS.printer(&table, false)?.text(&usage.containers)?,
        VOLUMES.printer(&table, false)?.text(&usage.volumes)?,
    ))
}

/// Docker's shape of everything, for templates.
fn whole(usage: &DiskUsage) -> Result<Value> {
    fn lines<T>(listing: &'static Listing<T>, rows: &[T]) -> Result<Vec<Value>> {
        let flags = ListFlags { format: Some("json".to_owned()), quiet: false };
        let printer = listing.printer(&flags, false)?;
        let line = |row| Ok(serde_json::from_str(&printer.line(row)?).unwrap_or_default());
        rows.iter().map(line).collect()
    }
    Ok(json!({
        "Images": lines(&IMAGES, &usage.images)?,
        "Containers": lines(&CONTAINERS, &usage.containers)?,
        "Volumes": lines(&VOLUMES, &usage.volumes)?,
        "BuildCache": [],
    }))
}
