//! Who has a volume mounted without being a container: commands of builds. Such a use has no row, since it ends with its process
//! however that dies; it is a lock, and whoever removes a volume must have it alone.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::{AtFlags, FlockOperation, Timespec, Timestamps, UTIME_NOW};

use crate::layers::lock_path;
use crate::lock::{self, Want};
use crate::{Digest, Result, Store, tree};

/// How a volume is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Beside others.
    Shared,
    /// By nobody else.
    Alone,
}

/// As long as it lives, nobody removes the volume.
#[derive(Debug)]
#[must_use = "dropping it lets others remove the volume"]
pub struct VolumeHold {
    path: PathBuf,
    lock: OwnedFd,
}

impl Drop for VolumeHold {
    fn drop(&mut self) {
        // The file goes with the last one that has it: others would go on with a lock that nobody sees any more. What stays
        // is found by the collector.
        if rustix::fs::flock(&self.lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Store {
    /// Uses a volume, which need not be there yet. None if others are in the way and `waits` is not set.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn hold_volume(&self, name: &str, how: Hold, waits: bool) -> Result<Option<VolumeHold>> {
        tree::make_private(&self.paths.tmp())?;
        let path = self.hold_path(name);
        let want = match (how, waits) {
            (Hold::Shared, true) => Want::Shared,
            (Hold::Shared, false) => Want::SharedNow,
            (Hold::Alone, true) => Want::Exclusive,
            (Hold::Alone, false) => Want::ExclusiveNow,
        };
        Ok(lock::acquire(&path, want)?.map(|lock| VolumeHold { path, lock }))
    }

    /// Whether anybody uses a volume who is no container.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn is_volume_held(&self, name: &str) -> Result<bool> {
        if !self.hold_path(name).exists() {
            return Ok(false);
        }
        Ok(self.hold_volume(name, Hold::Alone, false)?.is_none())
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

    fn hold_path(&self, name: &str) -> PathBuf {
        lock_path(&self.paths, &Digest::of(format!("volume {name}").as_bytes()))
    }
}
