//! `flock(2)`: locks that belong to an open file description, so they pass to children with the descriptor, and that
//! the kernel frees when the last copy of it is closed, however its holder died.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::{Error, Result};

/// How a lock is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// Alone, waiting for it.
    Exclusive,
    /// Alone, or not at all.
    ExclusiveNow,
    /// Beside other sharers, waiting for it.
    Shared,
    /// Beside other sharers, or not at all.
    SharedNow,
}

/// Locks a file, which is made if it is not there; None if the lock is wanted now and held by another.
///
/// A holder may unlink the file, so a lock on a file that has lost its name is worth nothing: then it is tried again
/// with whatever has the name by then.
///
/// # Errors
/// When the file cannot be opened; its directory must be there.
pub(crate) fn acquire(path: &Path, want: Want) -> Result<Option<OwnedFd>> {
    loop {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| Error::io("opening lock", path, errno))?;
        if !flock(&file, path, want)? {
            return Ok(None);
        }
        let links = rustix::fs::fstat(&file).map_err(|errno| Error::io("looking at lock", path, errno))?.st_nlink;
        if links > 0 {
            sys::fault::point("lock: held");
            return Ok(Some(file));
        }
    }
}

/// Locks a directory, which must be there. None if it is not, if another has taken its name while it was waited for, or if
/// the lock is wanted now and held by another.
///
/// # Errors
/// When the directory cannot be opened for another reason.
pub(crate) fn acquire_directory(path: &Path, want: Want) -> Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let directory = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.map_err(|errno| Error::io("opening", path, errno))?,
    };
    if !flock(&directory, path, want)? {
        return Ok(None);
    }
    let looking = |errno| Error::io("looking at", path, errno);
    let held = rustix::fs::fstat(&directory).map_err(looking)?;
    match rustix::fs::stat(path) {
        Ok(named) if (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino) => {
            sys::fault::point("lock: held");
            Ok(Some(directory))
        }
        Ok(_) | Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(looking(errno)),
    }
}

/// Whether somebody holds the file's lock alone. Looks through a shared lock, which two who look at once can both have.
/// Nobody holds a file that is not there.
///
/// # Errors
/// When the file cannot be opened for another reason.
pub(crate) fn is_held(path: &Path) -> Result<bool> {
    match rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(file) => Ok(!flock(&file, path, Want::SharedNow)?),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(Error::io("opening lock", path, errno)),
    }
}

/// Whether the lock was had.
fn flock(file: impl AsFd, path: &Path, want: Want) -> Result<bool> {
    let operation = match want {
        Want::Exclusive => FlockOperation::LockExclusive,
        Want::ExclusiveNow => FlockOperation::NonBlockingLockExclusive,
        Want::Shared => FlockOperation::LockShared,
        Want::SharedNow => FlockOperation::NonBlockingLockShared,
    };
    loop {
        match rustix::fs::flock(file.as_fd(), operation) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::io("locking", path, errno)),
        }
    }
}
