//! The moments in which a container is being started, or just ends, which others should not see: its lock is held and
//! nothing says that it runs. Whoever wants to work with it waits, by events, for one or the other to change.
//!
//! `ps` does not wait, and shows such a container as created, or as it was before.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use super::state::Container;
use crate::engine::Engine;
use crate::error::{Context, Error, Result};

/// Held, in the container's run directory, by whoever looks at its files and has its lock for that: he may take any time, as who
/// reads what he writes may.
const LOOK_FILE: &str = "look";
/// How long to wait for him: a look at a file or two is over by then.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait for a lock whose file was closed; see [`Changes::wait`].
const SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

impl Engine {
    /// The container, not in the middle of its start or end. Not for whoever holds its lock.
    ///
    /// # Errors
    /// `NotFound` when it was not started after all and is gone, `Conflict` when another command looks at its files and goes on
    /// doing so.
    pub(crate) fn settled<'a>(&self, container: &'a Container) -> Result<Cow<'a, Container>> {
        let mut container = Cow::Borrowed(container);
        let mut changes = None;
        let begun = Instant::now();
        while !container.state.is_running() && self.store.container_is_live(&container.record.id)? {
            match &mut changes {
                None => changes = Some(Changes::of(&self.paths().run_container(&container.record.id))?),
                Some(changes) if self.is_looked_at(&container) => {
                    let Some(rest) = PATIENCE.checked_sub(begun.elapsed()) else {
                        let name = &container.record.name;
                        let message =
                            format!("container {name} is in use by another command, which copies or exports its files");
                        return Err(Error::conflict(message).with_hint("try again once that has ended"));
                    };
                    changes.wait(Timespec::try_from(rest).ok());
                }
                Some(changes) => changes.wait(None),
            }
            // Looked at again after the watch was set, so that nothing in between is missed.
            container = Cow::Owned(self.container(&container.record.id.hex())?);
        }
        Ok(container)
    }

    /// Says to others that the container's files are looked at, until what comes back is closed. Its lock is held.
    ///
    /// # Errors
    /// `System`.
    pub(crate) fn begin_look(&self, container: &Container) -> Result<OwnedFd> {
        let path = self.paths().run_container(&container.record.id).join(LOOK_FILE);
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = open(&path, flags, Mode::RUSR | Mode::WUSR).context(|| path.display())?;
        flock(&file, FlockOperation::LockExclusive).context(|| path.display())?;
        Ok(file)
    }

    fn is_looked_at(&self, container: &Container) -> bool {
        let path = self.paths().run_container(&container.record.id).join(LOOK_FILE);
        open(&path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK))
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

    /// Waits for a change, or so long.
    ///
    /// Symptom: a wait without end for a start that has failed. Cause: when a lock's last descriptor is closed, the
    /// kernel tells of the closing first and frees the lock after that, so that he who looks at once still finds it
    /// held, and no event follows. Fix: after a closing, the next look comes soon even without an event.
    fn wait(&mut self, limit: Option<Timespec>) {
        let limit = if self.lock_was_closed { Some(SOON) } else { limit };
        while poll(&mut [PollFd::new(&self.watch, PollFlags::IN)], limit.as_ref()) == Err(Errno::INTR) {}
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.watch, &mut space);
        while let Ok(event) = reader.next() {
            self.lock_was_closed |= event.events().contains(ReadFlags::CLOSE_WRITE);
        }
    }
}
