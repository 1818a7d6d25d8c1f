//! The container's output, kept: cut into lines, and handed to the driver that was asked for.
//!
//! What cannot be kept is lost, and never stops the container: a full disk, a journal that does not answer. A driver that
//! is slow makes the container wait, as with docker, unless the output is relayed (`mode=non-blocking`).

/// Finished files, compressed by a process of their own.
mod compress;
/// Files that are rotated.
mod file;
/// The journal of systemd.
mod journal;
/// Lines and messages in files: pure.
mod record;
/// Another process that writes, so that this one never waits.
mod relay;

use std::time::Instant;

use jiff::Timestamp;
use runtime::protocol::log::{Driver, Log as Target};

use super::poll::{Event, Interest, Poll};
pub(crate) use compress::{WORD as COMPRESS, compress};
use file::LogFile;
use journal::Journal;
use record::Piece;
use relay::Relay;
pub(crate) use relay::{WORD as WRITE, write_for_another};

/// A line longer than this is split, as docker splits it; the parts carry no newline but the last.
const LONGEST_LINE: usize = 16 * 1024;

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// What becomes of the container's output.
#[derive(Debug)]
pub(super) enum Kept {
    /// It is not kept.
    Nowhere,
    /// This process writes it.
    Here(Box<Log>),
    /// Another does.
    Relayed(Relay),
}

impl Kept {
    /// Without its log the container still runs: better than not at all.
    pub(super) fn open(target: Option<&Target>) -> Kept {
        let open = |target: &Target| match target.buffer {
            Some(most) => Relay::start(target, most).map(Kept::Relayed),
            None => Log::open(target).map(|log| Kept::Here(Box::new(log))),
        };
        target.and_then(|target| open(target).ok()).unwrap_or(Kept::Nowhere)
    }

    /// Takes output as it comes.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        match self {
            Kept::Nowhere => {}
            Kept::Here(log) => log.write(stream, bytes, Timestamp::now()),
            Kept::Relayed(relay) => relay.write(stream, bytes, Timestamp::now()),
        }
    }

    /// The container has ended: all that is still written, up to [`finish`](Kept::finish), waits no longer than one write.
    pub(super) fn hurry(&mut self) {
        if let Kept::Here(log) = self {
            log.until = Some(Instant::now() + journal::PATIENCE);
        }
    }

    /// Keeps everything that has come, at the end of the container.
    pub(super) fn finish(&mut self) {
        match self {
            Kept::Nowhere => {}
            Kept::Here(log) => log.finish(Timestamp::now()),
            Kept::Relayed(relay) => relay.finish(),
        }
    }

    /// Has [`Event::LogReady`] told when the other process takes what waits for it.
    pub(super) fn watch(&self, poll: &Poll) {
        if let Kept::Relayed(relay) = self
            && let Some(pipe) = relay.waits()
        {
            poll.watch(pipe, Event::LogReady, Interest::WRITE).ok();
        }
    }

    /// Hands on what waits.
    pub(super) fn flush(&mut self, poll: &Poll) {
        if let Kept::Relayed(relay) = self {
            if let Some(pipe) = relay.waits() {
                poll.forget(pipe);
            }
            relay.flush();
        }
    }
}

/// A log being written.
#[derive(Debug)]
pub(super) struct Log {
    driver: Writer,
    /// Lines not yet complete, of stdout and stderr.
    partial: [Partial; 2],
    /// Until when the last writes of a run wait.
    until: Option<Instant>,
}

#[derive(Debug)]
enum Writer {
    File(LogFile),
    Journal(Journal),
}

/// The part of a line that has come so far.
#[derive(Debug, Default)]
struct Partial {
    text: Vec<u8>,
    /// How many parts of the line were written already.
    parts: u32,
    /// What the parts are called together.
    id: String,
}

impl Log {
    pub(super) fn open(target: &Target) -> std::io::Result<Log> {
        let driver = match target.driver {
            Driver::JsonFile | Driver::Local | Driver::K8sFile => Writer::File(LogFile::open(target)?),
            Driver::Journald => Writer::Journal(Journal::open(target)?),
        };
        Ok(Log { driver, partial: [Partial::default(), Partial::default()], until: None })
    }

    /// Takes output as it comes. Complete lines are written at once.
    pub(super) fn write(&mut self, stream: Stream, mut bytes: &[u8], time: Timestamp) {
        self.driver.begin(self.until);
        let partial = &mut self.partial[stream as usize];
        while !bytes.is_empty() {
            let room = LONGEST_LINE - partial.text.len();
            let newline = bytes.iter().take(room).position(|byte| *byte == b'\n');
            let take = newline.map_or(room.min(bytes.len()), |at| at + 1);
            partial.text.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if newline.is_some() || partial.text.len() == LONGEST_LINE {
                partial.hand_over(stream, time, &mut self.driver);
            }
        }
        self.driver.flush();
    }

    /// Writes what has no newline at the end of the streams.
    pub(super) fn finish(&mut self, time: Timestamp) {
        self.driver.begin(self.until.take());
        for stream in [Stream::Stdout, Stream::Stderr] {
            let partial = &mut self.partial[stream as usize];
            if !partial.text.is_empty() {
                partial.hand_over(stream, time, &mut self.driver);
            }
            *partial = Partial::default();
        }
        self.driver.flush();
    }
}

impl Partial {
    fn hand_over(&mut self, stream: Stream, time: Timestamp, driver: &mut Writer) {
        let whole = self.text.ends_with(b"\n");
        if self.parts == 0 && !whole {
            self.id = format!("{:032x}", time.as_nanosecond());
        }
        self.parts += 1;
        let piece = Piece { text: &self.text, stream, time, part: self.parts, id: &self.id };
        match driver {
            Writer::File(file) => file.write(&piece),
            Writer::Journal(journal) => journal.write(&piece),
        }
        self.text.clear();
        if whole {
            self.parts = 0;
        }
    }
}

impl Writer {
    /// Pieces follow that belong together, and wait until then at most; without a time, as long as one write may.
    fn begin(&mut self, until: Option<Instant>) {
        if let Writer::Journal(journal) = self {
            journal.wait_until(until);
        }
    }

    fn flush(&mut self) {
        if let Writer::File(file) = self {
            file.flush();
        }
    }
}

#[cfg(test)]
mod tests;
