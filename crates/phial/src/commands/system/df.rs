//! `phial system df`.

use std::process::ExitCode;

use build::CacheRecord;
use clap::Args;
use engine::{DiskUsage, KindUsage};
use serde_json::{Value, json};

use super::Execute;
use crate::commands::{builder, container, image, volume};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::{Column, ListFlags, Listing, ObjectFormat, given};
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

/// Docker's columns of `-v`.
const IMAGES: &[&str] = &["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers"];
const CONTAINERS: &[&str] = &["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"];
const CACHE: &[&str] = &["ID", "Type", "Size", "CreatedAt", "LastUsedAt", "UsageCount", "Shared"];
const VOLUMES: &[&str] = &["Name", "Links", "Size"];

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
        let flags = ListFlags { format: self.format, quiet: false };
        let printer = KINDS.printer(&flags, false)?;
        let template = given(flags.format.as_deref()).map(ObjectFormat::parse).transpose()?;
        let engine = context.engine()?;
        let mut usage = engine.disk_usage().cannot(|| "measure")?;
        let mut cache = if self.verbose { build::usage(&engine).cannot(|| "measure the cache")? } else { Vec::new() };
        // Those are listed as the volumes that they are.
        cache.retain(|record| record.kind != "exec.cachemount");
        // As docker's: only what they have written.
        usage.containers.iter_mut().for_each(|line| line.size = line.size.map(|(written, _)| (written, 0)));
        match template {
            Some(template) if self.verbose => print(&template.line(&whole(&usage, &cache)?)?)?,
            None if self.verbose => print(&verbose(&usage, &cache)?)?,
            _ => printer.print(&usage.kinds)?,
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

fn verbose(usage: &DiskUsage, cache: &[CacheRecord]) -> Result<String> {
    let table = ListFlags::default();
    Ok(format!(
        "Images space usage:\n\n{}\nContainers space usage:\n\n{}\nLocal Volumes space usage:\n\n{}\nBuild cache usage: {}\n{}",
        image::ls::LISTING.printer_of(&table, false, IMAGES)?.text(&usage.images)?,
        container::ps::LISTING.printer_of(&table, false, CONTAINERS)?.text(&usage.containers)?,
        volume::ls::LISTING.printer_of(&table, false, VOLUMES)?.text(&usage.volumes)?,
        human::size(usage.kinds.last().map_or(0, |kind| kind.size)),
        if cache.is_empty() {
            String::new()
        } else {
            format!("\n{}", builder::du::LISTING.printer_of(&table, false, CACHE)?.text(cache)?)
        },
    ))
}

/// Docker's shape of everything, for templates.
fn whole(usage: &DiskUsage, cache: &[CacheRecord]) -> Result<Value> {
    fn lines<T>(listing: &'static Listing<T>, rows: &[T]) -> Result<Vec<Value>> {
        let flags = ListFlags { format: Some("json".to_owned()), quiet: false };
        let printer = listing.printer(&flags, true)?;
        let line = |row| Ok(serde_json::from_str(&printer.line(row)?).unwrap_or_default());
        rows.iter().map(line).collect()
    }
    Ok(json!({
        "Images": lines(&image::ls::LISTING, &usage.images)?,
        "Containers": lines(&container::ps::LISTING, &usage.containers)?,
        "Volumes": lines(&volume::ls::LISTING, &usage.volumes)?,
        "BuildCache": lines(&builder::du::LISTING, cache)?,
    }))
}
