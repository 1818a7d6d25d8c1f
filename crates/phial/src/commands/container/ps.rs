//! `phial ps`.

use std::process::ExitCode;

use clap::Args;
use engine::{CONTAINER_FILTERS, ContainerSummary, Filters, ListOptions};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::format::{Column, ListFlags, Listing};
use crate::output::human;

/// Characters of a command that are shown, as docker's.
const COMMAND: usize = 20;
/// Characters of what is mounted, likewise.
const MOUNT: usize = 15;

const EXAMPLES: &str = "\
Examples:
  phial ps
  phial ps -a          also those that have ended
  phial ps -aq -f status=exited
  phial ps --format '{{.Names}}: {{.Status}}'";

/// Docker's columns.
pub(in crate::commands) static LISTING: Listing<ContainerSummary> = Listing {
    kind: "container",
    columns: &[
        Column::new("Command", "COMMAND", command),
        Column::new("CreatedAt", "CREATED AT", |container, _| human::time(&container.created_at)),
        Column::new("HealthStatus", "HEALTH STATUS", |container, _| container.health.to_owned()),
        Column::new(
            "ID",
            "CONTAINER ID",
            |container, whole| {
                if whole { container.id.clone() } else { container.id[..12].to_owned() }
            },
        ),
        Column::new("IPAddresses", "IP ADDRESSES", |container, _| container.ip_addresses.clone()),
        Column::new("Image", "IMAGE", |container, _| container.image.clone()),
        Column::new("Labels", "LABELS", |container, _| {
            let labels = container.labels.iter().map(|(key, value)| format!("{key}={value}"));
            human::harmless(&labels.collect::<Vec<_>>().join(","))
        }),
        Column::new("LocalVolumes", "LOCAL VOLUMES", |container, _| container.local_volumes.to_string()),
        Column::new("Mounts", "MOUNTS", |container, whole| {
            let short = |mount: &String| if whole { mount.clone() } else { human::shortened(mount, MOUNT) };
            human::harmless(&container.mounts.iter().map(short).collect::<Vec<_>>().join(","))
        }),
        Column::new("Names", "NAMES", |container, _| container.name.clone()),
        Column::new("Networks", "NETWORKS", |container, _| container.networks.join(",")),
        Column::new("Platform", "PLATFORM", |container, _| container.platform.to_owned()),
        Column::new("Ports", "PORTS", |container, _| container.ports.clone()),
        Column::new("RunningFor", "CREATED", |container, _| container.created.clone()),
        Column::new("Size", "SIZE", |container, _| match container.size {
            Some((written, 0)) => human::size(written),
            Some((written, whole)) => format!("{} (virtual {})", human::size(written), human::size(whole)),
            None => human::size(0),
        }),
        Column::new("State", "STATE", |container, _| container.state.to_owned()),
        Column::new("Status", "STATUS", |container, _| container.status.clone()),
    ],
    table: &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"],
    quiet: "ID",
    label: Some(|container, key| container.labels.get(key).map_or_else(String::new, |value| human::harmless(value))),
};

/// A container's command as docker quotes it, after it was cut short if it is not to be `whole`.
fn command(container: &ContainerSummary, whole: bool) -> String {
    let command = &container.command;
    go_template::quoted(&if whole { command.clone() } else { human::shortened(command, COMMAND) })
}

/// The table with `--size`.
const WITH_SIZE: &[&str] = &["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names", "Size"];

/// What `phial ps` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, which is there or not")]
pub(crate) struct Ps {
    /// Show all containers, not only those that run
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    list: ListFlags,
    /// Only those that match: KEY=VALUE, such as status=exited or label=stage
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Show so many of those created last, whether they run or not
    #[arg(short = 'n', long, value_name = "NUMBER", allow_negative_numbers = true, default_value_t = -1)]
    last: i64,
    /// Show the one created last, whether it runs or not
    #[arg(short, long)]
    latest: bool,
    /// Show ids and commands whole
    #[arg(long)]
    no_trunc: bool,
    /// Show how much each has written
    #[arg(short, long)]
    size: bool,
}

impl Execute for Ps {
    const FILTERS: &'static [&'static str] = CONTAINER_FILTERS;

    fn execute(self, context: &Context) -> Result<ExitCode> {
        let table = if self.size { WITH_SIZE } else { LISTING.table };
        let printer = LISTING.printer_of(&self.list, self.no_trunc, table)?;
        let options = self.options().cannot(|| "list containers")?;
        let containers = context.engine()?.list(&options).cannot(|| "list containers")?;
        printer.print(&containers)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Ps {
    fn options(&self) -> engine::Result<ListOptions> {
        let last = if self.latest { Some(1) } else { usize::try_from(self.last).ok().filter(|last| *last > 0) };
        // A template that shows the size need not be told to measure it.
        let shown = self.list.format.as_deref().is_some_and(|format| format.contains(".Size"));
        Ok(ListOptions {
            all: self.all,
            last,
            size: (self.size || shown) && !self.list.quiet,
            filters: Filters::parse(&self.filters, Self::FILTERS)?,
        })
    }
}
