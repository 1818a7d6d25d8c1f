//! Paths below a root, walked one component at a time by descriptor. Owns the walk and the directories that are made on it.
//!
//! The kernel resolves paths in a root as well (`RESOLVE_IN_ROOT`), but does not tell what it went through, and makes
//! nothing. Here both are needed: `.dockerignore` hides files by where they really are, and directories that
//! are made have an owner. A symlink is read and its target walked as text; `..` goes back to the directory
//! that the walk came from, by its descriptor, and stops at the root.

use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;

use fsroot::{Dir, ErrorKind, Follow, Metadata, Name, Root};

use super::attributes::Made;
use super::{changed, joined, not_found, shown};
use crate::error::{Error, Result};

/// As many symlinks as the kernel follows in one path.
const MAX_SYMLINKS: usize = 40;

/// Where a path leads.
pub(super) struct Spot {
    /// The directory that it is in.
    pub(super) dir: Dir,
    /// Its name there; none for the root, which `dir` is then itself.
    pub(super) name: Vec<u8>,
    /// The whole of it, from the root, without symlinks and without a slash before it.
    pub(super) path: Vec<u8>,
    /// What is there.
    pub(super) found: Option<Metadata>,
}

impl Spot {
    pub(super) fn is_root(&self) -> bool {
        self.name.is_empty()
    }

    pub(super) fn is_dir(&self) -> bool {
        self.is_root() || self.found.is_some_and(|found| found.is_dir())
    }

    /// Opens the directory that is there, and makes it if there is nothing.
    pub(super) fn into_dir(self, made: Option<&Made>) -> Result<Dir> {
        if self.is_root() {
            return Ok(self.dir);
        }
        match (self.found, made) {
            (Some(found), _) if found.is_dir() => Ok(self.dir.open_dir(Name::new(&self.name)?)?),
            (None, Some(made)) => made.make(&self.dir, Name::new(&self.name)?),
            (None, None) => Err(not_found(&self.path)),
            (Some(_), _) => Err(no_directory(&self.path)),
        }
    }
}

/// Walks `path` from the root. The last component may be missing; those before it are made if `made` says how.
///
/// # Errors
/// `NotFound` names the path as it was given.
pub(super) fn resolve(root: &Root, path: &[u8], follow: Follow, made: Option<&Made>) -> Result<Spot> {
    let mut walk = Walk { walked: Vec::new(), path: Vec::new(), root: root.dir(), symlinks: 0 };
    let mut steps = VecDeque::new();
    prepend(&mut steps, path);
    while let Some(step) = steps.pop_front() {
        let name = match step {
            Step::Root => {
                walk.restart();
                continue;
            }
            Step::Up => {
                walk.up();
                continue;
            }
            Step::Down(name) => name,
        };
        let (is_last, found) = (steps.is_empty(), walk.look(&name)?);
        match found {
            Some(found) if found.is_symlink() && (!is_last || follow == Follow::Yes) => {
                let target = walk.read_link(&name, path)?;
                prepend(&mut steps, &target);
                if target.starts_with(b"/") {
                    steps.push_front(Step::Root);
                }
            }
            found if is_last => return walk.spot(name, found),
            Some(found) if found.is_dir() => walk.down(&name)?,
            Some(_) => return Err(no_directory(&joined(&walk.path, &name))),
            None => match made {
                Some(made) => walk.make(&name, made)?,
                None => return Err(not_found(without_slashes(path))),
            },
        }
    }
    let Walk { path, .. } = &walk;
    let (path, dir) = (path.clone(), walk.here().try_clone()?);
    if path.is_empty() {
        return Ok(Spot { dir, name: Vec::new(), path, found: None });
    }
    // It has ended in `..`, of which the directory is known and not its name.
    resolve(root, &path, Follow::No, None)
}

/// The directory at `path`, and all that is missing of it if `made` says how.
pub(super) fn directory(root: &Root, path: &[u8], made: Option<&Made>) -> Result<Dir> {
    resolve(root, path, Follow::Yes, made)?.into_dir(made)
}

pub(super) fn no_directory(path: &[u8]) -> Error {
    Error::invalid(format!("{} is not a directory", shown(path)))
}

pub(super) fn without_slashes(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(start, |last| last + 1);
    &path[start..end]
}

/// Opens a directory that was seen to be one.
pub(super) fn enter(dir: &Dir, name: &[u8], path: impl FnOnce() -> Vec<u8>) -> Result<Dir> {
    dir.open_dir(Name::new(name)?).map_err(|error| if is_gone(&error) { changed(&path()) } else { error.into() })
}

/// Whether the kernel says that there is not what was there before: nothing, a symlink, or no directory.
pub(super) fn is_gone(error: &fsroot::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Symlink | ErrorKind::NotADirectory)
}

enum Step {
    Root,
    Up,
    Down(Vec<u8>),
}

/// Puts the components of `path` before what is left to walk.
fn prepend(steps: &mut VecDeque<Step>, path: &[u8]) {
    for part in path.rsplit(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => steps.push_front(Step::Up),
            name => steps.push_front(Step::Down(name.to_vec())),
        }
    }
}

struct Walk<'a> {
    root: &'a Dir,
    /// Directories below the root, and how long the path to what each is in is.
    walked: Vec<(Dir, usize)>,
    path: Vec<u8>,
    symlinks: usize,
}

impl Walk<'_> {
    fn here(&self) -> &Dir {
        self.walked.last().map_or(self.root, |(dir, _)| dir)
    }

    fn restart(&mut self) {
        self.walked.clear();
        self.path.clear();
    }

    fn up(&mut self) {
        if let Some((_, length)) = self.walked.pop() {
            self.path.truncate(length);
        }
    }

    fn look(&self, name: &[u8]) -> Result<Option<Metadata>> {
        match self.here().metadata(Name::new(name)?) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn read_link(&mut self, name: &[u8], path: &[u8]) -> Result<Vec<u8>> {
        self.symlinks += 1;
        if self.symlinks > MAX_SYMLINKS {
            let path = shown(without_slashes(path));
            return Err(Error::invalid(format!("{path} leads through more than {MAX_SYMLINKS} symlinks")));
        }
        Ok(self.here().read_link(Name::new(name)?)?.as_bytes().to_vec())
    }

    fn down(&mut self, name: &[u8]) -> Result<()> {
        let dir = enter(self.here(), name, || joined(&self.path, name))?;
        self.push(dir, name);
        Ok(())
    }

    fn make(&mut self, name: &[u8], made: &Made) -> Result<()> {
        let dir = made.make(self.here(), Name::new(name)?)?;
        self.push(dir, name);
        Ok(())
    }

    fn push(&mut self, dir: Dir, name: &[u8]) {
        self.walked.push((dir, self.path.len()));
        self.path = joined(&self.path, name);
    }

    fn spot(self, name: Vec<u8>, found: Option<Metadata>) -> Result<Spot> {
        let path = joined(&self.path, &name);
        Ok(Spot { dir: self.here().try_clone()?, name, path, found })
    }
}
