//! `phial volume ls`.

use std::process::ExitCode;

use clap::Args;
use engine::{Filters, VOLUME_FILTERS, VolumeSummary, VolumeUsage};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::{Column, ListFlags, Listing};
use crate::output::human;

/// What docker shows where it knows nothing.
const UNKNOWN: &str = "N/A";

const EXAMPLES: &str = "\
Examples:
  phial volume ls
  phial volume ls -q --filter dangling=true     those that no container uses";

/// Docker's columns.
pub(in crate::commands) static LISTING: Listing<VolumeSummary> = Listing {
    kind: "volume",
    columns: &[
        Column::new("Availability", "AVAILABILITY", |_, _| UNKNOWN.to_owned()),
        Column::new("Driver", "DRIVER", |line, _| line.volume.driver.clone()),
        Column::new("Group", "GROUP", |_, _| UNKNOWN.to_owned()),
        Column::new("Labels", "LABELS", |line, _| {
            let labels = line.volume.labels.iter().map(|(key, value)| format!("{key}={value}"));
            human::harmless(&labels.collect::<Vec<_>>().join(","))
        }),
        Column::new("Links", "LINKS", |line, _| measured(line, |usage| usage.links.to_string())),
        Column::new("Mountpoint", "MOUNTPOINT", |line, _| line.mountpoint.display().to_string()),
        Column::new("Name", "VOLUME NAME", |line, _| line.volume.name.clone()),
        Column::new("Scope", "SCOPE", |_, _| "local".to_owned()),
        Column::new("Size", "SIZE", |line, _| measured(line, |usage| human::size(usage.size))),
        Column::new("Status", "STATUS", |_, _| UNKNOWN.to_owned()),
    ],
    table: &["Driver", "Name"],
    quiet: "Name",
    label: Some(|line, key| line.volume.labels.get(key).map_or_else(String::new, |value| human::harmless(value))),
};

/// What only `system df` measures.
fn measured(line: &VolumeSummary, shown: fn(&VolumeUsage) -> String) -> String {
    line.usage.as_ref().map_or_else(|| UNKNOWN.to_owned(), shown)
}

/// What `phial volume ls` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Ls {
    #[command(flatten)]
    list: ListFlags,
    /// Only those that match: dangling=true, driver=local, label=KEY[=VALUE], name=PART
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
}

impl Execute for Ls {
    const FILTERS: &'static [&'static str] = VOLUME_FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let printer = LISTING.printer(&self.list, true)?;
        let filters = Filters::parse(&self.filters, Self::FILTERS).cannot(|| "list volumes")?;
        let volumes = context.engine()?.list_volumes(&filters).cannot(|| "list volumes")?;
        printer.print(&volumes)?;
        Ok(ExitCode::SUCCESS)
    }
}
