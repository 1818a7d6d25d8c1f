//! `phial stats`.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use engine::{Container, Engine, ErrorKind, Sample};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::format::{Column, ListFlags, Listing};
use crate::output::{human, print};

/// Between two looks; and between the first two, so that nobody waits long for the first numbers.
const INTERVAL: Duration = Duration::from_secs(1);
const FIRST_INTERVAL: Duration = Duration::from_millis(500);

/// What docker shows of a container that does not run.
const NOTHING: &str = "--";

/// Goes to the first line, and clears what is right of a line and below the last (ECMA-48).
const HOME: &str = "\x1b[H";
const CLEAR: &str = "\x1b[2J";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

const EXAMPLES: &str = "\
Examples:
  phial stats                       all that run, until Ctrl-C
  phial stats --no-stream web db
  phial stats --no-stream --format '{{.Name}}: {{.CPUPerc}}'";

/// A line: what a container uses, if it runs.
struct Line {
    container: Container,
    /// What the user calls it; None where nobody named it.
    called: Option<String>,
    used: Option<(Sample, f64)>,
}

impl Line {
    fn used(&self, text: impl FnOnce(&Sample) -> String, nothing: &str) -> String {
        self.used.as_ref().map_or_else(|| nothing.to_owned(), |(sample, _)| text(sample))
    }
}

/// Docker's columns.
static LISTING: Listing<Line> = Listing {
    kind: "container",
    columns: &[
        Column::new("BlockIO", "BLOCK I/O", |line, _| line.used(|sample| pair(sample.block), NOTHING)),
        Column::new("CPUPerc", "CPU %", |line, _| {
            line.used.as_ref().map_or_else(|| NOTHING.to_owned(), |(_, percent)| format!("{percent:.2}%"))
        }),
        Column::new("Container", "CONTAINER", |line, whole| line.called.clone().unwrap_or_else(|| id(line, whole))),
        Column::new("ID", "CONTAINER ID", id),
        Column::new("MemPerc", "MEM %", |line, _| {
            line.used(|sample| format!("{:.2}%", sample.memory_percent()), NOTHING)
        }),
        Column::new("MemUsage", "MEM USAGE / LIMIT", |line, _| {
            let text = |sample: &Sample| {
                format!("{} / {}", human::binary_size(sample.memory), human::binary_size(sample.memory_limit))
            };
            line.used(text, "-- / --")
        }),
        Column::new("Name", "NAME", |line, _| line.container.record.name.clone()),
        Column::new("NetIO", "NET I/O", |line, _| line.used(|sample| pair(sample.network), NOTHING)),
        Column::new("PIDs", "PIDS", |line, _| line.used(|sample| sample.pids.to_string(), NOTHING)),
    ],
    table: &["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"],
    quiet: "ID",
    label: None,
};

fn id(line: &Line, whole: bool) -> String {
    if whole { line.container.record.id.hex() } else { line.container.short_id() }
}

fn pair((one, other): (u64, u64)) -> String {
    format!("{} / {}", human::size(one), human::size(other))
}

/// What `phial stats` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Stats {
    /// Show all containers, not only those that run
    #[arg(short, long)]
    all: bool,
    /// Print 'json', or what a Go template makes of each line, with headings after 'table '
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show the numbers once and end
    #[arg(long)]
    no_stream: bool,
    /// Show ids whole
    #[arg(long)]
    no_trunc: bool,
    /// Names or ids of containers [default: all that run]
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Execute for Stats {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let list = ListFlags { format: self.format.clone(), quiet: false };
        let printer = LISTING.printer_of(&list, self.no_trunc, LISTING.table)?;
        let engine = context.engine()?;
        for name in &self.containers {
            engine.container(name).cannot(|| format!("show what {name} uses"))?;
        }
        let redraws = !self.no_stream && std::io::stdout().is_terminal();
        let mut before = HashMap::new();
        self.look(&engine, &mut before)?;
        let mut interval = FIRST_INTERVAL;
        let mut is_first = true;
        loop {
            std::thread::sleep(interval);
            interval = INTERVAL;
            let lines = self.look(&engine, &mut before)?;
            let text = printer.text(&lines)?;
            if redraws {
                redraw(&text, is_first)?;
            } else {
                print(&text)?;
            }
            is_first = false;
            // Of containers that were named nothing more can come when all of them are gone.
            if self.no_stream || (lines.is_empty() && !self.containers.is_empty()) {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

impl Stats {
    /// Takes a sample of each container, and compares it with the one before, which it replaces.
    fn look(&self, engine: &Engine, before: &mut HashMap<String, Sample>) -> Result<Vec<Line>> {
        let doing = || "show what containers use";
        let mut lines = Vec::new();
        let mut samples = HashMap::new();
        for (called, container) in self.chosen(engine).cannot(doing)? {
            let id = container.record.id.hex();
            let used = engine.sample(&container).cannot(doing)?.map(|sample| {
                let percent = sample.cpu_percent(before.get(&id));
                samples.insert(id, sample.clone());
                (sample, percent)
            });
            lines.push(Line { container, called, used });
        }
        *before = samples;
        Ok(lines)
    }

    /// The containers, each with what it was called on the command line.
    fn chosen(&self, engine: &Engine) -> engine::Result<Vec<(Option<String>, Container)>> {
        if self.containers.is_empty() {
            return Ok(engine.containers(self.all)?.into_iter().map(|container| (None, container)).collect());
        }
        let find = |name: &String| match engine.container(name) {
            // Removed since the command began.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            other => Some(other.map(|container| (Some(name.clone()), container))),
        };
        self.containers.iter().filter_map(find).collect()
    }
}

fn redraw(text: &str, is_first: bool) -> Result<()> {
    let lines: String = text.lines().flat_map(|line| [line, CLEAR_LINE, "\n"]).collect();
    let screen = format!("{}{HOME}{lines}{CLEAR_BELOW}", if is_first { CLEAR } else { "" });
    let mut out = std::io::stdout().lock();
    out.write_all(screen.as_bytes()).and_then(|()| out.flush()).map_err(Failure::from)
}
