//! The moments in which a container is being started, or just ends, which others should not see: its lock is held and
//! nothing says that it runs. Whoever wants to work with it waits, by events, for one or the other to change.
//!
//! `ps` does not wait, and shows such a container as created, or as it was before.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

use super::state::Container;
use crate::engine::Engine;
use crate::error::{Context, Result};

/// How long to wait for a lock whose file was closed; see [`Changes::wait`].
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

impl Engine {
    /// The container, not in the middle of its start or end. Not for whoever holds its lock.
    ///
    /// # Errors
    /// `NotFound` when it was not started after all and is gone.
    pub(crate) fn settled<'a>(&self, container: &'a Container) -> Result<Cow<'a, Container>> {
        let mut container = Cow::Borrowed(container);
        let mut changes = None;
        while !container.state.is_running() && self.store.container_is_live(&container.record.id)? {
            match &mut changes {
                None => changes = Some(Changes::of(&self.paths().run_container(&container.record.id))?),
                Some(changes) => changes.wait(),
            }
            // Looked at again after the watch was set, so that nothing in between is missed.
            container = Cow::Owned(self.container(&container.record.id.hex())?);
        }
        Ok(container)
    }
}

/// Changes in a container's run directory.
struct Changes {
    watch: OwnedFd,
    lock_was_closed: bool,
}

impl Changes {
    fn of(directory: &std::path::Path) -> Result<Changes> {
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).context(|| "watching a start: inotify_init1")?;
        let events = WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE | WatchFlags::DELETE | WatchFlags::DELETE_SELF;
        match add_watch(&watch, directory, events) {
            Ok(_) | Err(Errno::NOENT) => Ok(Changes { watch, lock_was_closed: false }),
            Err(errno) => Err(errno).context(|| format!("watching {}", directory.display())),
        }
    }

    /// Waits for a change.
    ///
    /// Symptom: a wait without end for a start that has failed. Cause: when a lock's last descriptor is closed, the
    /// kernel tells of the closing first and frees the lock after that, so that he who looks at once still finds it
    /// held, and no event follows. Fix: after a closing, the next look comes soon even without an event.
    fn wait(&mut self) {
        let limit = self.lock_was_closed.then_some(&SOON);
        while poll(&mut [PollFd::new(&self.watch, PollFlags::IN)], limit) == Err(Errno::INTR) {}
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.watch, &mut space);
        while let Ok(event) = reader.next() {
            self.lock_was_closed |= event.events().contains(ReadFlags::CLOSE_WRITE);
        }
    }
}
