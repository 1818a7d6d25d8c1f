//! What a container has written: read from where it is kept, from the beginning or from the end, and followed by events
//! until the container ends.
//!
//! Files are written by the supervisor, whole entries at a time; one that is only half there is left for later.

/// Bytes to entries.
mod decode;
/// The files of a log, in their order.
mod files;
/// Waiting for more.
mod follow;
/// Logs that are in the journal of systemd.
mod journal;
/// Where the output is to be kept.
mod target;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Deserialize;

use crate::config::logging::Driver;
use crate::containers::create::LOG_FILE;
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::events::select::time;

use decode::Format;
use files::{Files, From};
use follow::{Event, Follow};
pub(crate) use target::check_host;

/// What of a log is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on until the container ends (`-f`).
    pub follow: bool,
    /// Only so many of the lines there are now (`-n`); None is all.
    pub tail: Option<u64>,
    /// Only what was written then or later.
    pub since: Option<Timestamp>,
    /// Only what was written then or earlier.
    pub until: Option<Timestamp>,
}

impl LogOptions {
    /// With `--since` and `--until` as they were typed.
    ///
    /// # Errors
    /// `Invalid` for what is no time.
    pub fn between(self, since: Option<&str>, until: Option<&str>) -> Result<LogOptions> {
        let now = Timestamp::now();
        let since = since.map(|text| time("--since", text, now)).transpose()?;
        let until = until.map(|text| time("--until", text, now)).transpose()?;
        Ok(LogOptions { since, until, ..self })
    }
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

impl Stream {
    fn from_name(name: &[u8]) -> Option<Stream> {
        match name {
            b"stdout" => Some(Stream::Stdout),
            b"stderr" => Some(Stream::Stderr),
            _ => None,
        }
    }
}

/// One entry of a log: a line, or a piece of one that was too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry<'a> {
    /// The text, with the line's end if there was one.
    pub text: Cow<'a, [u8]>,
    /// Where it was written to.
    pub stream: Stream,
    /// When.
    pub time: Timestamp,
    /// What `--log-opt` has said of every line.
    pub attributes: BTreeMap<String, String>,
}

/// More than clocks of files lag behind.
const TICK: Duration = Duration::from_secs(1);

/// What ends the reading before the end: what comes is younger than what is asked for.
const ENOUGH: io::ErrorKind = io::ErrorKind::FileTooLarge;

impl Engine {
    /// Hands the entries of a container's log to `sink`, one after the other, until there are no more, or, when
    /// following, until the container has ended.
    ///
    /// # Errors
    /// `Unsupported` where the log cannot be read, `System` when reading goes wrong, and what `sink` answers.
    pub fn logs(
        &self,
        container: &Container,
        options: &LogOptions,
        sink: &mut dyn FnMut(&LogEntry<'_>) -> io::Result<()>,
    ) -> Result<()> {
        let mut enough = false;
        let mut chosen = |entry: &LogEntry<'_>| {
            if options.until.is_some_and(|until| entry.time > until) {
                enough = true;
                return Err(ENOUGH.into());
            }
            if options.since.is_some_and(|since| entry.time < since) { Ok(()) } else { sink(entry) }
        };
        let read = match container.config.logging.driver {
            Driver::None => Err(not_readable("")),
            Driver::Journald => self.read_journal(container, options, &mut chosen),
            Driver::JsonFile => self.read_files(container, Format::Json, options, &mut chosen),
            Driver::K8sFile => self.read_files(container, Format::Kubernetes, options, &mut chosen),
            Driver::Local => self.read_files(container, Format::Local, options, &mut chosen),
        };
        if enough { Ok(()) } else { read }
    }

    fn read_files(
        &self,
        container: &Container,
        format: Format,
        options: &LogOptions,
        sink: &mut dyn FnMut(&LogEntry<'_>) -> io::Result<()>,
    ) -> Result<()> {
        let directory = self.paths().container(&container.record.id);
        let path = directory.join(LOG_FILE);
        let failed = |error: io::Error| Error::system(path.display(), error);
        // Watched before it is read, so that nothing which is written in between is missed.
        let follow = if options.follow && container.state.is_running() {
            self.waiting(container)?.map(|connection| Follow::new(&directory, connection)).transpose()?
        } else {
            None
        };
        // The times of files are those of the last tick of the clock: a little early.
        let since = options.since.and_then(|since| SystemTime::try_from(since).ok()?.checked_sub(TICK));
        let from = options.tail.map_or(From::Beginning(since), From::Last);
        let mut files = Files::open(&path, format, from).map_err(failed)?;
        files.drain(sink).map_err(failed)?;
        let Some(mut follow) = follow else { return Ok(()) };
        loop {
            let event = follow.next(options.until).map_err(failed)?;
            files.drain(sink).map_err(failed)?;
            if event == Event::Ended {
                return Ok(());
            }
        }
    }
}

/// Docker's words, and what lacks if that can be helped.
fn not_readable(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("configured logging driver does not support reading{why}"))
}
