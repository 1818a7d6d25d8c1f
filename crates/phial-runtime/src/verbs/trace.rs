//! `run --trace`: what is done, as it is done, with the time that it took.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};

/// Writes one line on stderr for each thing that is done; nothing where nobody asked.
#[derive(Debug)]
pub(super) struct Trace {
    /// When all began, and when the last thing was done; None where nobody asked.
    times: Option<(Instant, Instant)>,
}

impl Trace {
    pub(super) fn new(wanted: bool) -> Trace {
        Trace { times: wanted.then(|| (Instant::now(), Instant::now())) }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.times.is_some()
    }

    /// What was done since the last thing.
    pub(super) fn mark(&mut self, what: &str) {
        if let Some((_, last)) = &mut self.times {
            line(&what, last.elapsed());
            *last = Instant::now();
        }
    }

    /// Something whose time was measured elsewhere.
    pub(super) fn done(&mut self, what: &dyn Display, took: Duration) {
        if let Some((_, last)) = &mut self.times {
            line(what, took);
            *last = Instant::now();
        }
    }

    /// Everything up to now.
    pub(super) fn total(&self, what: &str) {
        if let Some((begun, _)) = &self.times {
            line(&what, begun.elapsed());
        }
    }
}

fn line(what: &dyn Display, took: Duration) {
    // Who closes stderr does not want to read it.
    let _ = writeln!(std::io::stderr(), "{:>10.3} ms  {what}", took.as_secs_f64() * 1000.0);
}
