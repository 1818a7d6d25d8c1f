//! `phial ps`.

use std::process::ExitCode;

use clap::Args;
use engine::ContainerSummary;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::{Column, ListFlags, Listing};
use crate::output::human;

/// Characters of a command that are shown, as docker's.
const COMMAND: usize = 20;

const EXAMPLES: &str = "\
Examples:
  phial ps
  phial ps -a          also those that have ended
  phial ps --format '{{.Names}}: {{.Status}}'";

/// Docker's columns.
static LISTING: Listing<ContainerSummary> = Listing {
    kind: "container",
    columns: &[
        Column::new("Command", "COMMAND", |container, whole| {
            let command = human::harmless(&container.command);
            format!("\"{}\"", if whole { command } else { human::shortened(&command, COMMAND) })
        }),
        Column::new("CreatedAt", "CREATED AT", |container, _| container.created_at.clone()),
        Column::new(
            "ID",
            "CONTAINER ID",
            |container, whole| {
                if whole { container.id.clone() } else { container.id[..12].to_owned() }
            },
        ),
        Column::new("Image", "IMAGE", |container, _| container.image.clone()),
        Column::new("Labels", "LABELS", |container, _| human::harmless(&container.labels)),
        Column::new("Names", "NAMES", |container, _| container.name.clone()),
        Column::new("Ports", "PORTS", |container, _| container.ports.clone()),
        Column::new("RunningFor", "CREATED", |container, _| container.created.clone()),
        Column::new("State", "STATE", |container, _| container.state.to_owned()),
        Column::new("Status", "STATUS", |container, _| container.status.clone()),
    ],
    table: &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"],
    quiet: "ID",
    label: None,
};

/// What `phial ps` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Ps {
    /// Show all containers, not only those that run
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    list: ListFlags,
    /// Show ids and commands whole
    #[arg(long)]
    no_trunc: bool,
}

impl Execute for Ps {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let printer = LISTING.printer(&self.list, self.no_trunc)?;
        let containers = context.engine()?.list(self.all).cannot(|| "list containers")?;
        printer.print(&containers)?;
        Ok(ExitCode::SUCCESS)
    }
}
