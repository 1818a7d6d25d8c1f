//! Removal of trees. Owns the descent; never leaves the file system that it starts on, never follows a symlink, and needs a bounded
//! number of descriptors however deep the tree is.

use std::ffi::OsString;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::{Flags, Shown};
use crate::{Dir, Error, ErrorKind, Name, Result};

/// How many directories are open at once. What lies deeper is moved up and removed in a later round.
const MAX_DEPTH: usize = 48;
/// How often a directory is emptied again because somebody refills it.
const RACE_TRIES: usize = 64;

/// Removes `name` in `parent` with all that is below it. That others remove the same tree at the same time is no error.
pub(crate) fn remove_all(parent: &Dir, name: Name<'_>) -> Result<()> {
    let is_dir = match rustix::fs::unlinkat(parent, name.as_bytes(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // EPERM is what POSIX wants for a directory, and some file systems answer it.
        Err(Errno::ISDIR) => true,
        Err(_) => parent.metadata(name).is_ok_and(|found| found.is_dir()),
    };
    if !is_dir {
        return parent.unlink(name);
    }
    for _ in 0..RACE_TRIES {
        match rustix::fs::unlinkat(parent, name.as_bytes(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(_) => return parent.remove_dir(name),
        }
        let Some(top) = open_if_there(parent, name)? else { return Ok(()) };
        empty(&top)?;
    }
    Err(Error::refused(ErrorKind::Raced, format_args!("{name} is refilled while it is removed")))
}

/// Removes everything in `top`.
fn empty(top: &Dir) -> Result<()> {
    // Each directory is on the stack with the names in it that are still to be removed.
    let mut stack: Vec<(Dir, OsString, Vec<OsString>)> = Vec::new();
    let mut names = names_in(top)?;
    let (mut moved, mut seen) = (0_u64, 0);
    loop {
        while let Some(text) = names.pop() {
            let here = stack.last().map_or(top, |(dir, ..)| dir);
            let name = Name::from_os(&text)?;
            if unlink_or_rmdir(here, name)? {
                continue;
            }
            if stack.len() >= MAX_DEPTH {
                move_up(here, name, top, &mut moved)?;
                continue;
            }
            let Some(dir) = open_if_there(here, name)? else { continue };
            let inside = names_in(&dir)?;
            stack.push((dir, text, std::mem::replace(&mut names, inside)));
        }
        let Some((dir, text, above)) = stack.pop() else {
            if moved == seen {
                return Ok(());
            }
            // What was too deep lies here now.
            seen = moved;
            names = names_in(top)?;
            continue;
        };
        drop(dir);
        names = above;
        let here = stack.last().map_or(top, |(dir, ..)| dir);
        match here.remove_dir(Name::from_os(&text)?) {
            // Not empty: something was moved in or made by somebody else; the caller starts another round.
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotEmpty) => return Err(error),
            _ => {}
        }
    }
}

/// Removes `name` if one call can do it; false if it is a directory with something in it.
fn unlink_or_rmdir(here: &Dir, name: Name<'_>) -> Result<bool> {
    match rustix::fs::unlinkat(here, name.as_bytes(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::ISDIR) => {}
        Err(_) if here.metadata(name).is_ok_and(|found| found.is_dir()) => {}
        Err(_) => return here.unlink(name).map(|()| true),
    }
    match rustix::fs::unlinkat(here, name.as_bytes(), AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        // A mount point says EBUSY; opening it says EXDEV, which is the clearer message.
        Err(Errno::BUSY) => open(here, name).map(|_| false),
        Err(_) => here.remove_dir(name).map(|()| true),
    }
}

/// Moves the directory `name` to the top of the tree that is being removed, where the next round finds it.
fn move_up(here: &Dir, name: Name<'_>, top: &Dir, moved: &mut u64) -> Result<()> {
    loop {
        *moved += 1;
        let new = format!(".phial-removed-{moved}");
        match here.rename(name, top, Name::new(&new)?, RenameFlags::NOREPLACE) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            answer => return answer,
        }
    }
}

/// What is in `dir`; nothing if it was removed after it was opened, which is when `getdents(2)` answers ENOENT.
fn names_in(dir: &Dir) -> Result<Vec<OsString>> {
    match dir.names() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        answer => answer,
    }
}

fn open_if_there(here: &Dir, name: Name<'_>) -> Result<Option<Dir>> {
    match open(here, name) {
        Ok(dir) => Ok(Some(dir)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens the directory `name` unless something is mounted on it.
fn open(here: &Dir, name: Name<'_>) -> Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match rustix::fs::openat2(here, name.as_bytes(), flags, Mode::empty(), how) {
        Ok(fd) => Ok(Dir::from_opened(fd)),
        Err(errno) => Err(Error::call(
            errno,
            format_args!(
                "openat2({}, {name}, {}, RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS|RESOLVE_NO_XDEV)",
                Shown::new(here),
                Flags(flags)
            ),
        )),
    }
}
