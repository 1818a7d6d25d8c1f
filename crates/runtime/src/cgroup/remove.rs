//! Removing cgroups. Everything is tried, and the first error told.

use std::path::{Path, PathBuf};

use rustix::fs::AtFlags;
use rustix::io::Errno;
use rustix::process::Signal;

use super::Cgroups;
use crate::error::{Error, Result};

impl Cgroups {
    /// Removes the directories, and those that the container made in them; with systemd, its unit.
    ///
    /// # Errors
    /// `System`, naming the directory; `EBUSY` means that processes are still in it.
    pub fn remove(&self) -> Result<()> {
        let paths: Vec<PathBuf> = self.paths().map(Path::to_owned).collect();
        let unit = self.unit.as_ref().map_or(Ok(()), super::systemd::Unit::stop);
        unit.and(remove_leftovers(&paths))
    }

    /// As [`remove`](Cgroups::remove), for a container whose first process has ended: processes that have outlived it are
    /// killed.
    ///
    /// # Errors
    /// As of [`remove`](Cgroups::remove).
    pub fn kill_and_remove(&self) -> Result<()> {
        // The kernel knows best whether somebody is in there, and says so in the call that is made anyway.
        let empty = match self.holder() {
            Some(directory) if self.unit.is_none() => remove_directory(&directory.path) == Ok(()),
            _ => false,
        };
        if !empty && !self.processes()?.is_empty() {
            self.signal_all(Signal::KILL)?;
        }
        self.remove()
    }
}

/// Removes cgroup directories whose container is gone, as recorded in [`crate::protocol::Status::cgroups`].
///
/// # Errors
/// `System`, naming the first directory that could not be removed.
pub fn remove_leftovers(paths: &[PathBuf]) -> Result<()> {
    let mut first = Ok(());
    for path in paths {
        let result = remove_tree(path).map_err(|errno| Error::system(path.display(), errno));
        first = first.and(result);
    }
    first
}

/// Removes a cgroup directory and those below it. A process that was just reaped may keep it busy for a moment more.
pub(super) fn remove_tree(path: &Path) -> rustix::io::Result<()> {
    const TRIES: u32 = 50;
    for attempt in 0..TRIES {
        match remove_directory(path) {
            Err(Errno::BUSY) => {
                remove_children(path);
                let pause = rustix::time::Timespec { tv_sec: 0, tv_nsec: i64::from(100_000 << attempt.min(8)) };
                let _ = rustix::thread::nanosleep(&pause);
            }
            Err(Errno::NOENT) => return Ok(()),
            other => return other,
        }
    }
    Err(Errno::BUSY)
}

fn remove_directory(path: &Path) -> rustix::io::Result<()> {
    rustix::fs::unlinkat(rustix::fs::CWD, path, AtFlags::REMOVEDIR)
}

fn remove_children(path: &Path) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_children(&entry.path());
            remove_directory(&entry.path()).ok();
        }
    }
}
