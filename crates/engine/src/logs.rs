//! What a container has written: its log in docker's json-file format, read from the end or from the beginning, and
//! followed by events until the container ends.
//!
//! The file is written by the supervisor, whole lines at a time; a line that is only half there is left for later.

mod follow;
mod read;
mod target;

use std::borrow::Cow;
use std::fs::File;
use std::io;

use serde::Deserialize;

use crate::create::LOG_FILE;
use crate::engine::Engine;
use crate::error::{Context, Error, Result};
use crate::lifecycle::Container;
pub(crate) use target::check_host;

use follow::{Event, Follow};
use read::{Lines, seek_to_last};

/// What of a log is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on until the container ends (`-f`).
    pub follow: bool,
    /// Only so many of the lines there are now (`-n`); None is all.
    pub tail: Option<u64>,
}

/// Which of its streams a process wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One entry of a log: a line, or a piece of one that was too long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogEntry<'a> {
    /// The text, with the line's end if there was one.
    #[serde(rename = "log", borrow)]
    pub text: Cow<'a, str>,
    /// Where it was written to.
    pub stream: Stream,
    /// When, RFC 3339 with nanoseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
}

impl Engine {
    /// Hands the entries of a container's log to `sink`, one after the other, until there are no more, or, when
    /// following, until the container has ended.
    ///
    /// # Errors
    /// What `sink` answers, and `System` when the log cannot be read.
    pub fn logs(
        &self,
        container: &Container,
        options: &LogOptions,
        sink: &mut dyn FnMut(&LogEntry<'_>) -> io::Result<()>,
    ) -> Result<()> {
        let path = self.paths().container(&container.record.id).join(LOG_FILE);
        let file = match File::open(&path) {
            // Nothing was written yet, by a container that was not started yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.context(|| path.display())?,
        };
        // Watched before it is read, so that nothing which is written in between is missed.
        let follow = if options.follow && container.state.is_running() {
            self.waiting(container)?.map(|connection| Follow::new(&path, connection)).transpose()?
        } else {
            None
        };
        if let Some(lines) = options.tail {
            seek_to_last(&file, lines).context(|| path.display())?;
        }
        let mut lines = Lines::new(file);
        lines.drain(sink).context(|| path.display())?;
        let Some(mut follow) = follow else { return Ok(()) };
        loop {
            let event = follow.next().map_err(|error| Error::system(path.display(), error))?;
            lines.drain(sink).context(|| path.display())?;
            if event == Event::Ended {
                return Ok(());
            }
        }
    }
}
