//! `phial system check`.

use std::cell::OnceCell;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Args;
use engine::{CheckOptions, CheckReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::print_line;

const EXAMPLES: &str = "\
Examples:
  phial system check
  phial system check --repair      removes what is damaged, so that it is pulled anew

Exit status: 0 if all is well or was repaired, 1 if something is left to be done.";

/// What `phial system check` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Check {
    /// Remove damaged images, and what killed commands have left
    #[arg(long)]
    repair: bool,
    /// Do not read the content of layers
    #[arg(long)]
    quick: bool,
}

impl Execute for Check {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let options = context.options()?;
        let bar = OnceCell::new();
        let tell = |done: usize, all: usize| {
            let bar: &ProgressBar = bar.get_or_init(|| new_bar(all));
            bar.set_position(done as u64);
        };
        let report = engine::check(options, CheckOptions { repair: self.repair, quick: self.quick }, &tell);
        if let Some(bar) = bar.get() {
            bar.finish_and_clear();
        }
        let report = report.cannot(|| "check the store")?;
        for problem in &report.problems {
            print_line(&problem.to_string())?;
        }
        print_line(&summary(&report, self.repair))?;
        Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn new_bar(layers: usize) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("reading layers [{bar:30}] {pos}/{len}").expect("is well formed");
    ProgressBar::with_draw_target(Some(layers as u64), target).with_style(style.progress_chars("=> "))
}

fn summary(report: &CheckReport, repaired: bool) -> String {
    let mut lines = vec![format!(
        "checked {}, {}, {}, {} and {}: {}",
        counted(report.images, "image"),
        counted(report.layers, "layer"),
        counted(report.containers, "container"),
        counted(report.volumes, "volume"),
        counted(report.networks, "network"),
        if report.problems.is_empty() { "all is well".to_owned() } else { counted(report.problems.len(), "problem") },
    )];
    if report.unproven > 0 {
        let are = if report.unproven == 1 { "is" } else { "are" };
        lines.push(format!("{} {are} there, without a comparison of the content", counted(report.unproven, "layer")));
    }
    let garbage = &report.garbage;
    let left = [
        (garbage.containers.len(), "container"),
        (garbage.volumes.len(), "volume"),
        (report.left_on_networks, "network lease"),
        (garbage.layers.len(), "layer"),
        (garbage.blobs.len(), "blob"),
        (garbage.temporary.len(), "unfinished piece"),
    ];
    let left: Vec<String> = left.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| counted(n, word)).collect();
    if !left.is_empty() {
        let what = if repaired { "removed" } else { "removed by the next command that makes room, or --repair" };
        lines.push(format!("left by killed commands: {} ({what})", left.join(", ")));
    }
    lines.join("\n")
}

fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}
