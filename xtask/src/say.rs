//! What goes to the terminal: one line per thing that is done, before it is done.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the edge: the only place that prints")]

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use end_to_end::process::words;

/// Prints text as it is.
pub(crate) fn text(text: &str) {
    print!("{text}");
    // What is printed here must stand above what a child prints next.
    let _ = std::io::stdout().flush();
}

/// One line.
pub(crate) fn line(line: &str) {
    text(&format!("{line}\n"));
}

/// A command, as one would type it, before it is run.
pub(crate) fn command(command: &Command) {
    let short = words(command).replace(&format!("{}/", end_to_end::workspace().display()), "");
    line(&format!("$ {short}"));
}

/// What went wrong.
pub(crate) fn error(message: &str) {
    eprintln!("xtask: {message}");
}

/// A part of a verb: says when it begins and how long it took.
pub(crate) struct Phase {
    name: String,
    begun: Instant,
}

impl Phase {
    pub(crate) fn begin(name: &str) -> Phase {
        line(&format!("== {name}"));
        Phase { name: name.to_owned(), begun: Instant::now() }
    }

    pub(crate) fn end(self, outcome: &str) {
        line(&format!("== {}: {outcome} ({})", self.name, seconds(self.begun.elapsed())));
    }
}

/// A duration for people.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
