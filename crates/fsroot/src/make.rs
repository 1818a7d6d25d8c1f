//! `mkdir -p` below a root that belongs to an adversary. Owns the walk in which missing directories are made; an existing
//! path never comes here.
//!
//! `openat2` cannot create directories, so the walk is done here, one component at a time, each opened without following.
//! Symlinks are read and walked as text: their target can only ever be reached through descriptors that were
//! opened one below the other from the root (CVE-2024-45310).

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use crate::{Dir, Error, ErrorKind, Name, Result};

/// As many symlinks as the kernel follows in one path.
const MAX_SYMLINKS: usize = 40;
/// How often one component may change under our hands before we give up.
const RACE_TRIES: usize = 128;

enum Step {
    Root,
    Up,
    Down(OsString),
}

/// Makes and opens the directory `path` below `root`.
pub(crate) fn make_dirs(root: &Dir, path: &Path, mode: u32) -> Result<Dir> {
    // `..` goes back to the directory that we came from, by its descriptor: were it resolved by the kernel, a directory that
    // is moved meanwhile would lead out of the root.
    let mut walked = vec![root.try_clone()?];
    let mut steps: VecDeque<Step> = VecDeque::new();
    prepend(&mut steps, path);
    let mut symlinks = 0;
    while let Some(step) = steps.pop_front() {
        let name = match step {
            Step::Root => {
                walked.truncate(1);
                continue;
            }
            Step::Up => {
                walked.truncate(walked.len().saturating_sub(1).max(1));
                continue;
            }
            Step::Down(name) => name,
        };
        let here = walked.last().unwrap_or(root);
        match enter(here, Name::from_os(&name)?, mode)? {
            Entered::Directory(dir) => walked.push(dir),
            Entered::Symlink(target) => {
                symlinks += 1;
                if symlinks > MAX_SYMLINKS {
                    let message = format_args!("{} leads through more than {MAX_SYMLINKS} symlinks", path.display());
                    return Err(Error::refused(ErrorKind::Symlink, message));
                }
                prepend(&mut steps, Path::new(&target));
            }
        }
    }
    walked.pop().map_or_else(|| root.try_clone(), Ok)
}

/// Puts the components of `path` before what is left to walk.
fn prepend(steps: &mut VecDeque<Step>, path: &Path) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => steps.push_front(Step::Down(name.to_owned())),
            Component::ParentDir => steps.push_front(Step::Up),
            Component::RootDir => steps.push_front(Step::Root),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
}

enum Entered {
    Directory(Dir),
    Symlink(OsString),
}

/// Opens the directory `name`, and makes it if there is nothing.
fn enter(here: &Dir, name: Name<'_>, mode: u32) -> Result<Entered> {
    for _ in 0..RACE_TRIES {
        match here.open_dir(name) {
            Ok(dir) => return Ok(Entered::Directory(dir)),
            Err(error) if error.kind() == ErrorKind::NotFound => match here.make_dir(name, mode) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            },
            // ENOTDIR, or ELOOP: the kernel has answered either for a symlink.
            Err(error) if matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::Symlink) => {
                match here.read_link(name) {
                    Ok(target) if target.as_bytes().is_empty() => return Err(error),
                    Ok(target) => return Ok(Entered::Symlink(target)),
                    Err(other) if other.kind() == ErrorKind::NotFound => {}
                    // Not a symlink: something that cannot be entered, or the directory that has come back meanwhile.
                    Err(_) if here.metadata(name).is_ok_and(|found| found.is_dir() || found.is_symlink()) => {}
                    Err(_) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::refused(ErrorKind::Raced, format_args!("{name} changes faster than it can be opened")))
}
