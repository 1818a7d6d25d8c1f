//! Making and deleting directories.
//!
//! What is deleted was filled by strangers, and may be large: it first moves into the store's `tmp` under a new name,
//! which is one atomic step, and is then taken apart there. Whoever is killed in between leaves a name that the
//! collector knows as rubbish.

use std::io::ErrorKind::NotFound;
use std::path::Path;

use rustix::fs::{IFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::digest::encode_hex;
use crate::id::random_bytes;
use crate::{Error, ErrorKind, Paths, Result};

/// Beginning of the names of what only waits for its deletion.
pub(crate) const TRASH: &str = "trash-";

/// Makes a directory that only its owner can enter: images hold set-user-id programs, which no other user of the host
/// may reach (CVE-2021-41091). Its parents are made as well. False if it is there already.
///
/// # Errors
/// Those of `mkdir(2)`.
pub(crate) fn make_private(path: &Path) -> Result<bool> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) => {
            sys::fault::point("tree: directory made");
            Ok(true)
        }
        Err(Errno::EXIST) => Ok(false),
        Err(Errno::NOENT) => {
            let parent = path.parent().ok_or_else(|| Error::io("making directory", path, Errno::NOENT))?;
            make_private(parent)?;
            make_private(path)
        }
        Err(errno) => Err(Error::io("making directory", path, errno)),
    }
}

/// Asks the file system to give each directory that is made in this one a part of the disk of its own, as the layers in
/// it have nothing to do with each other (`T` of chattr(1)). Without it ext4 puts all of them where the first one is,
/// and searches there for inodes among those of all others: the more were deleted of late, the longer.
///
/// File systems that know no such wish lose nothing.
pub(crate) fn spread(directory: &Path) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let _ = rustix::fs::open(directory, flags, Mode::empty()).and_then(|directory| {
        let flags = rustix::fs::ioctl_getflags(&directory)?;
        rustix::fs::ioctl_setflags(&directory, flags | IFlags::TOPDIR)
    });
}

/// Deletes a directory of the store: moved away first, so that it is whole or gone. Nothing happens if it is not there.
///
/// # Errors
/// When it cannot be moved, or something in it cannot be deleted.
pub(crate) fn discard(paths: &Paths, path: &Path) -> Result<()> {
    match move_away(paths, path)? {
        Some(trash) => delete(&trash),
        None => Ok(()),
    }
}

/// Moves a directory of the store where the collector finds it; None if it is not there.
///
/// # Errors
/// Those of `rename(2)`.
pub(crate) fn move_away(paths: &Paths, path: &Path) -> Result<Option<std::path::PathBuf>> {
    let trash = paths.tmp().join(format!("{TRASH}{}", encode_hex(&random_bytes::<8>()?)));
    match std::fs::rename(path, &trash) {
        Ok(()) => {
            sys::fault::point("tree: moved away");
            Ok(Some(trash))
        }
        Err(error) if error.kind() == NotFound => {
            // Either the tree or `tmp` is missing; only the latter is to be mended.
            if make_private(&paths.tmp())? { move_away(paths, path) } else { Ok(None) }
        }
        Err(error) => Err(Error::io("moving away", path, error)),
    }
}

/// Deletes a directory that holds a lock, of which the caller is the holder: what is in it, the lock file last, and itself.
///
/// From the moment in which the lock file is gone, anybody may make one of his own. The directory is his then, and stays.
///
/// # Errors
/// As of [`delete`].
pub(crate) fn delete_locked(path: &Path, lock_file: &str) -> Result<()> {
    let failed = |error: fsroot::Error| Error::new(ErrorKind::Io, format!("deleting {}: {error}", path.display()));
    let root = match fsroot::Root::open(path) {
        Err(error) if error.kind() == fsroot::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    };
    for name in root.dir().names().map_err(failed)?.iter().filter(|name| *name != lock_file) {
        fsroot::Name::from_os(name).and_then(|name| root.dir().remove_all(name)).map_err(failed)?;
    }
    let gone = |what: &Path, result: rustix::io::Result<()>| match result {
        Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        Err(errno) => Err(Error::io("deleting", what, errno)),
    };
    let lock = path.join(lock_file);
    gone(&lock, rustix::fs::unlink(&lock))?;
    sys::fault::point("tree: lock deleted");
    gone(path, rustix::fs::rmdir(path))
}

/// Deletes a tree where it is, however deep a stranger has made it, and nothing that is mounted below. Nothing happens if
/// it is not there, or if another deletes it at the same time.
///
/// # Errors
/// Those of `unlinkat(2)` and the like.
pub(crate) fn delete(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::io("deleting", path, Errno::INVAL));
    };
    // A second name of a layer leads nowhere once it was moved, and is there all the same.
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    fsroot::Root::open(parent)
        .and_then(|root| root.remove_all(name))
        .map_err(|error| Error::new(ErrorKind::Io, format!("deleting {}: {error}", path.display())))?;
    sys::fault::point("tree: deleted");
    Ok(())
}
