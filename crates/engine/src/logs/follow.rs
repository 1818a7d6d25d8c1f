//! Waits for a log to grow or for its container to end.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::session::Connection;

/// The directory of a log's files, watched, and a connection that tells of the container's end.
pub(super) struct Follow {
    watch: OwnedFd,
    connection: Connection,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// There is more to read.
    Written,
    /// The container has ended, after its last line was written; or its supervisor is gone; or the time is over.
    Ended,
}

impl Follow {
    pub(super) fn new(directory: &Path, connection: Connection) -> Result<Follow> {
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).context(|| "watching a log: inotify_init1")?;
        let events = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        add_watch(&watch, directory, events).context(|| format!("watching {}", directory.display()))?;
        Ok(Follow { watch, connection })
    }

    /// Waits for what comes next, but not beyond `until`.
    pub(super) fn next(&mut self, until: Option<Timestamp>) -> io::Result<Event> {
        loop {
            let left = until.map(time_left);
            let connection = self.connection.as_fd();
            let mut both = [PollFd::new(&self.watch, PollFlags::IN), PollFd::new(&connection, PollFlags::IN)];
            match poll(&mut both, left.as_ref()) {
                Err(Errno::INTR) => continue,
                Ok(0) => return Ok(Event::Ended),
                other => other?,
            };
            if !both[1].revents().is_empty() {
                return Ok(Event::Ended);
            }
            self.forget_events()?;
            return Ok(Event::Written);
        }
    }

    /// How often the files were written to does not matter: they are read to their end.
    fn forget_events(&self) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.watch, &mut space);
        loop {
            match reader.next() {
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// How long it is until then.
pub(super) fn time_left(until: Timestamp) -> Timespec {
    let left = (until.as_nanosecond() - Timestamp::now().as_nanosecond()).max(0);
    Timespec {
        tv_sec: i64::try_from(left / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(left % 1_000_000_000).unwrap_or_default(),
    }
}
