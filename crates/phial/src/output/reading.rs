//! How reading a file looks that takes its time: a bar for each part of it, on a terminal, gone when all is read.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use image::{Progress, ProgressEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use crate::output::progress::moving;

/// What takes less shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Bars on standard error; standard output says what came of it.
pub(crate) struct Reading {
    verb: &'static str,
    began: Instant,
    /// None where nobody looks.
    bars: Option<MultiProgress>,
    parts: Mutex<HashMap<String, ProgressBar>>,
}

impl Reading {
    /// `verb` says what is done with what is read.
    pub(crate) fn new(verb: &'static str) -> Reading {
        let on_terminal = std::io::stderr().is_terminal();
        let bars = on_terminal.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Reading { verb, began: Instant::now(), bars, parts: Mutex::default() }
    }

    fn moved(&self, bars: &MultiProgress, what: &str, done: u64, total: Option<u64>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = parts.entry(what.to_owned()).or_insert_with(|| {
            let bar = ProgressBar::no_length().with_prefix(what.to_owned()).with_message(self.verb);
            // From where it stands: how fast it was before is not known.
            bar.set_position(done);
            bar.reset_eta();
            moving(&bar, total);
            bars.add(bar)
        });
        bar.set_position(done);
    }
}

impl Progress for Reading {
    fn event(&self, event: ProgressEvent<'_>) {
        if let (Some(bars), ProgressEvent::Reading { what, done, total }) = (&self.bars, event)
            && self.began.elapsed() > PATIENCE
        {
            self.moved(bars, what, done, total);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // A line that cannot be cleared is all that is left.
        let _ = self.bars.as_ref().map(MultiProgress::clear);
    }
}
