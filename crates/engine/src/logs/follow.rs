//! Waits for a log to grow or for its container to end.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::session::Connection;

/// A log's file, watched, and a connection that tells of the container's end.
pub(super) struct Follow {
    watch: OwnedFd,
    connection: Connection,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// There is more to read.
    Written,
    /// The container has ended, after its last line was written; or its supervisor is gone.
    Ended,
}

impl Follow {
    pub(super) fn new(path: &Path, connection: Connection) -> Result<Follow> {
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).context(|| "watching a log: inotify_init1")?;
        add_watch(&watch, path, WatchFlags::MODIFY).context(|| format!("watching {}", path.display()))?;
        Ok(Follow { watch, connection })
    }

    /// Waits for what comes next.
    pub(super) fn next(&mut self) -> io::Result<Event> {
        loop {
            let connection = self.connection.as_fd();
            let mut both = [PollFd::new(&self.watch, PollFlags::IN), PollFd::new(&connection, PollFlags::IN)];
            match poll(&mut both, None) {
                Err(Errno::INTR) => continue,
                other => other?,
            };
            if !both[1].revents().is_empty() {
                return Ok(Event::Ended);
            }
            self.forget_events()?;
            return Ok(Event::Written);
        }
    }

    /// How often the file was written to does not matter: it is read to its end.
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
