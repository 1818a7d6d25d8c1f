//! `phial network ls`.

use std::process::ExitCode;

use clap::Args;
use engine::{Filters, NETWORK_FILTERS, NetworkSummary};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::{Column, ListFlags, Listing};
use crate::output::human;

const EXAMPLES: &str = "\
Examples:
  phial network ls
  phial network ls -q --filter dangling=true          those that no running container is on
  phial network ls --format '{{.Name}}: {{.Driver}}'";

/// Docker's columns.
pub(in crate::commands) static LISTING: Listing<NetworkSummary> = Listing {
    kind: "network",
    columns: &[
        Column::new("CreatedAt", "CREATED AT", |line, _| human::time(&line.created)),
        Column::new("Driver", "DRIVER", |line, _| line.driver.to_owned()),
        Column::new("ID", "NETWORK ID", |line, whole| {
            if whole { line.id.clone() } else { line.id.get(..12).unwrap_or(&line.id).to_owned() }
        }),
        Column::new("IPv4", "IPV4", |line, _| line.ipv4.to_string()),
        Column::new("IPv6", "IPV6", |line, _| line.ipv6.to_string()),
        Column::new("Internal", "INTERNAL", |line, _| line.internal.to_string()),
        Column::new("Labels", "LABELS", |line, _| {
            let labels = line.labels.iter().map(|(key, value)| format!("{key}={value}"));
            human::harmless(&labels.collect::<Vec<_>>().join(","))
        }),
        Column::new("Name", "NAME", |line, _| line.name.clone()),
        Column::new("Scope", "SCOPE", |_, _| "local".to_owned()),
    ],
    table: &["ID", "Name", "Driver", "Scope"],
    quiet: "ID",
    label: Some(|line, key| line.labels.get(key).map_or_else(String::new, |value| human::harmless(value))),
};

/// What `phial network ls` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Ls {
    #[command(flatten)]
    list: ListFlags,
    /// Only those that match: dangling=true, driver=bridge, id=PART, label=KEY[=VALUE], name=PART, type=custom
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Show ids whole
    #[arg(long)]
    no_trunc: bool,
}

impl Execute for Ls {
    const FILTERS: &'static [&'static str] = NETWORK_FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let printer = LISTING.printer(&self.list, self.no_trunc)?;
        let filters = Filters::parse(&self.filters, Self::FILTERS).cannot(|| "list networks")?;
        let networks = context.engine()?.list_networks(&filters).cannot(|| "list networks")?;
        printer.print(&networks)?;
        Ok(ExitCode::SUCCESS)
    }
}
