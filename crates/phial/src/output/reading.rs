//! Archives that are read, which takes its time, and how that looks: a bar for each part of one, on a terminal, gone when all is read.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{IsTerminal, Read};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use image::{Progress, ProgressEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use crate::failure::{Failure, Result};
use crate::output::progress::moving;

/// What takes less shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// An archive that is read.
pub(crate) struct Archive {
    pub(crate) from: Box<dyn Read + Send>,
    /// How many bytes it has, if that is known.
    pub(crate) length: Option<u64>,
}

impl Archive {
    /// A file, or standard input for `-`, unless that is a terminal: then `hint` says what to do. `purpose` completes "cannot …:".
    ///
    /// # Errors
    /// For a terminal, and for a file that cannot be opened.
    pub(crate) fn open(from: &str, purpose: &str, hint: &str) -> Result<Archive> {
        let failed = |why: String| Failure::new(format!("cannot {purpose}: {why}"));
        if from == "-" {
            if std::io::stdin().is_terminal() {
                let message = "standard input is a terminal, and not an archive".to_owned();
                return Err(failed(message).with_hint(hint));
            }
            return Ok(Archive { from: Box::new(std::io::stdin()), length: None });
        }
        let file = File::open(from).map_err(|error| failed(error.to_string()))?;
        let length = file.metadata().ok().filter(Metadata::is_file).map(|found| found.len());
        Ok(Archive { from: Box::new(file), length })
    }
}

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
