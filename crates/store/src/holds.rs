//! Names that somebody has as long as his process lives, however it dies: the name of a volume that a command of a build has
//! mounted, which is no container and has no row; and the key of a step that a build is about to make. Each is a lock.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::{AtFlags, FlockOperation, Timespec, Timestamps, UTIME_NOW};

use crate::layers::lock_path;
use crate::lock::{self, Want};
use crate::{Digest, Result, Store, tree};

/// How a name is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Beside others.
    Shared,
    /// By nobody else.
    Alone,
}

/// As long as it lives, its name is had.
#[derive(Debug)]
#[must_use = "dropping it lets others have the name"]
pub struct NameHold {
    path: PathBuf,
    lock: OwnedFd,
}

impl Drop for NameHold {
    fn drop(&mut self) {
        // The file goes with the last one that has it: others would go on with a lock that nobody sees any more. What stays
        // is found by the collector.
        if rustix::fs::flock(&self.lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Store {
    /// Has a name, which is that of no layer; None if others are in the way.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn try_hold(&self, name: &Digest, how: Hold) -> Result<Option<NameHold>> {
        self.held(name, if how == Hold::Shared { Want::SharedNow } else { Want::ExclusiveNow })
    }

    /// Uses a volume, which need not be there yet; None if others are in the way.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn try_hold_volume(&self, name: &str, how: Hold) -> Result<Option<NameHold>> {
        self.try_hold(&volume_key(name), how)
    }

    /// Uses a volume beside others, after whoever has it alone.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn hold_volume(&self, name: &str) -> Result<NameHold> {
        loop {
            if let Some(hold) = self.held(&volume_key(name), Want::Shared)? {
                return Ok(hold);
            }
        }
    }

    fn held(&self, name: &Digest, want: Want) -> Result<Option<NameHold>> {
        tree::make_private(&self.paths.tmp())?;
        let path = lock_path(&self.paths, name);
        Ok(lock::acquire(&path, want)?.map(|lock| NameHold { path, lock }))
    }

    /// Whether anybody uses a volume who is no container.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn is_volume_held(&self, name: &str) -> Result<bool> {
        if !lock_path(&self.paths, &volume_key(name)).exists() {
            return Ok(false);
        }
        Ok(self.try_hold_volume(name, Hold::Alone)?.is_none())
    }

    /// Notes that a volume is used now, where that is known of no container.
    pub fn note_volume_used(&self, name: &str) {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        // Whoever cannot note it makes the volume look older than it is, which is no reason to fail.
        let _ = rustix::fs::utimensat(rustix::fs::CWD, self.paths.volume(name), &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    /// When [`Store::note_volume_used`] was called last, or the volume was made.
    pub fn volume_used(&self, name: &str) -> Option<SystemTime> {
        std::fs::symlink_metadata(self.paths.volume(name)).and_then(|found| found.modified()).ok()
    }
}

fn volume_key(name: &str) -> Digest {
    Digest::of(format!("volume {name}").as_bytes())
}
