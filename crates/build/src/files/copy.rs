//! A selection becomes files. Owns where each of them goes, and what happens to what is there already.
//!
//! Where something goes is said as `BuildKit` has it (fsutil's `copy`): symlinks in the destination are followed inside its root, also
//! the last; what is at the end of a path below it never is. A directory that is there keeps its owner and mode
//! if it is the destination, and gets those of the source if it lies below.

use std::collections::HashMap;
use std::os::fd::AsFd;

use fsroot::{Contents, Dir, ErrorKind, Follow, Name, Root, Timestamps, attributes};

use super::attributes::{Change, Made, give, kept_xattrs};
use super::cursor::Cursor;
use super::resolve::{Spot, directory, no_directory, resolve, without_slashes};
use super::selection::{Entry, Selection, Source};
use super::sums::{check, open};
use super::unpack::unpack;
use super::{Ids, Origin, joined, shown, split};
use crate::error::{Error, Result};
use crate::llb::message::file;

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Bytes of contents.
    pub(crate) bytes: u64,
    /// How many files, directories not counted.
    pub(crate) files: u64,
}

impl Selection {
    /// Copies. Everything is `owner`'s, also directories that are made above the destination.
    ///
    /// # Errors
    /// `Changed` if a file is not what it was when it was found, `Invalid` if files and directories are in each other's way.
    pub(crate) fn copy(&self, copy: &file::Copy, from: &Origin<'_>, onto: &Root, owner: Option<Ids>) -> Result<Copied> {
        let destination = Destination::of(copy);
        if !copy.create_dest_path {
            directory(onto, split(&destination.path).0, None)?;
        }
        let change = Change::of(copy, owner)?;
        let above = change.above();
        let mut copier = Copier {
            selection: self,
            from,
            onto,
            change,
            always_replace: copy.always_replace,
            cursor: Cursor::new(from.root),
            contents: Contents::default(),
            firsts: HashMap::new(),
            places: HashMap::new(),
            done: Copied::default(),
        };
        for source in &self.sources {
            let top = &self.entries[source.entries.start];
            if copy.attempt_unpack && top.found.is_file() {
                let archive = open(top, &mut copier.cursor)?;
                if let Some(done) = unpack(archive, top, onto, &destination.path, copy.timestamp, owner)? {
                    copier.done.bytes += done.bytes;
                    copier.done.files += done.files;
                    continue;
                }
            }
            let spot = destination.find(source, top, copy.dir_copy_contents, onto, &above)?;
            copier.source(source, &spot)?;
        }
        above.finish()?;
        Ok(copier.done)
    }
}

/// Where a copy goes.
struct Destination {
    /// From the root, without slashes at its ends.
    path: Vec<u8>,
    /// Whether it was said that it is a directory.
    is_directory: bool,
}

impl Destination {
    fn of(copy: &file::Copy) -> Destination {
        let path = dockerfile::path::clean(&format!("/{}", copy.dest));
        let is_directory = copy.dest.ends_with('/') || copy.dest.ends_with("/.");
        Destination { path: without_slashes(path.as_bytes()).to_vec(), is_directory }
    }

    /// The very place of one source. Makes the directories above it.
    fn find(&self, source: &Source, top: &Entry, contents: bool, onto: &Root, above: &Made) -> Result<Spot> {
        if self.is_directory {
            directory(onto, &self.path, Some(above))?;
        }
        let mut spot = resolve(onto, &self.path, Follow::Yes, Some(above))?;
        let is_there = spot.is_root() || spot.found.is_some();
        let merges = contents && top.found.is_dir();
        let goes_into = if top.found.is_dir() { is_there && !contents } else { spot.is_dir() };
        if goes_into && !source.name.is_empty() {
            let path = joined(&spot.path, &source.name);
            if !spot.is_dir() {
                return Err(no_directory(&spot.path));
            }
            return resolve(onto, &path, Follow::No, None);
        }
        if merges && !is_there {
            above.make(&spot.dir, Name::new(&spot.name)?)?;
            spot.found = Some(spot.dir.metadata(Name::new(&spot.name)?)?);
        }
        Ok(spot)
    }
}

struct Copier<'a> {
    selection: &'a Selection,
    from: &'a Origin<'a>,
    onto: &'a Root,
    change: Change,
    always_replace: bool,
    cursor: Cursor<'a>,
    contents: Contents,
    /// Where copies of files are that have more names, by their number; the inode's would not do, as one that was replaced
    /// is given to the next file.
    firsts: HashMap<usize, Vec<u8>>,
    /// The number of what was copied to such a place.
    places: HashMap<Vec<u8>, usize>,
    done: Copied,
}

/// Where one file goes.
struct Target<'t> {
    dir: &'t Dir,
    name: Name<'t>,
    /// From the root.
    path: Vec<u8>,
}

impl Copier<'_> {
    /// Copies one source to its place.
    fn source(&mut self, source: &Source, spot: &Spot) -> Result<()> {
        // Directories that something is copied into, each with the times that it gets when all is in it.
        let mut levels: Vec<(Dir, Timestamps)> = Vec::new();
        for index in source.entries.clone() {
            let entry = &self.selection.entries[index];
            let below = source.below(entry);
            let depth = if below.is_empty() { 0 } else { below.split(|byte| *byte == b'/').count() };
            while levels.len() > depth {
                leave(levels.pop())?;
            }
            let path = joined(&spot.path, below);
            if depth == 0 && spot.is_root() {
                levels.push((spot.dir.try_clone()?, self.change.times(&entry.found)));
                continue;
            }
            let (dir, name) = match levels.last() {
                Some((dir, _)) => (dir, split(below).1),
                None => (&spot.dir, spot.name.as_slice()),
            };
            let target = Target { dir, name: Name::new(name)?, path };
            if entry.found.is_dir() {
                let made = self.directory(entry, &target, depth == 0)?;
                levels.push((made, self.change.times(&entry.found)));
            } else {
                self.file(index, &target)?;
            }
        }
        while let Some(level) = levels.pop() {
            leave(Some(level))?;
        }
        Ok(())
    }

    fn directory(&mut self, entry: &Entry, target: &Target<'_>, is_top: bool) -> Result<Dir> {
        let Target { dir, name, .. } = *target;
        let (ids, mode) = (self.change.ids(&entry.found, self.from), self.change.mode(&entry.found));
        let is_new = match dir.make_dir(name, mode & 0o777) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let is_dir = dir.metadata(name)?.is_dir();
                if !is_dir && !self.always_replace {
                    let (from, onto) = (shown(&entry.path), shown(&target.path));
                    return Err(Error::invalid(format!(
                        "the directory {from} cannot be copied onto {onto}, which is not a directory"
                    )));
                }
                if !is_dir {
                    dir.remove_all(name)?;
                    dir.make_dir(name, mode & 0o777)?;
                }
                !is_dir
            }
            answer => answer.map(|()| true)?,
        };
        let new = dir.open_dir(name)?;
        if is_new || !is_top {
            let found = attributes::metadata(&new)?;
            if is_new || entry.is_taken {
                let xattrs = kept_xattrs(self.cursor.dir(&entry.path)?)?;
                give(&new, &found, ids, mode, &xattrs)?;
            } else {
                give(&new, &found, (found.uid, found.gid), entry.found.mode, &[])?;
            }
        }
        Ok(new)
    }

    /// Copies what is no directory.
    fn file(&mut self, index: usize, target: &Target<'_>) -> Result<()> {
        let entry = &self.selection.entries[index];
        let found = &entry.found;
        self.done.files += 1;
        if found.is_file() {
            let first = entry.first.unwrap_or(index);
            if let Some(path) = self.firsts.get(&first).cloned() {
                return self.link(entry, &path, target);
            }
            self.regular(entry, target)?;
            if found.links > 1 {
                self.firsts.insert(first, target.path.clone());
                self.places.insert(target.path.clone(), first);
            }
            return Ok(());
        }
        let Target { dir, name, .. } = *target;
        let mode = self.change.mode(found);
        self.replacing(entry, target, || {
            if found.is_symlink() {
                dir.symlink(&entry.target, name)
            } else {
                dir.mknod(name, found.file_type, mode & 0o777, found.special_device)
            }
        })?;
        let (new, (user, group)) = (dir.metadata(name)?, self.change.ids(found, self.from));
        let has_owner = (new.uid, new.gid) == (user, group);
        if !has_owner {
            dir.set_owner(name, user, group)?;
        }
        if !found.is_symlink() && (new.mode != mode || !has_owner) {
            dir.set_mode(name, mode)?;
        }
        Ok(dir.set_times(name, &self.change.times(found))?)
    }

    fn regular(&mut self, entry: &Entry, target: &Target<'_>) -> Result<()> {
        let found = &entry.found;
        let source = open(entry, &mut self.cursor)?;
        let Target { dir, name, .. } = *target;
        let (ids, mode) = (self.change.ids(found, self.from), self.change.mode(found));
        let file = self.replacing(entry, target, || dir.create_file(name, mode & 0o777))?;
        let copied = self.contents.copy(source.as_fd(), file.as_fd(), found.size);
        copied.map_err(|errno| Error::system(format_args!("copying {}", shown(&entry.path)), errno))?;
        let xattrs = kept_xattrs(&source)?;
        check(&source, entry)?;
        let new = attributes::metadata(&file)?;
        give(&file, &new, ids, mode, &xattrs)?;
        attributes::set_times(&file, &self.change.times(found))?;
        self.done.bytes += found.size;
        Ok(())
    }

    /// Gives the copy of a file a second name.
    fn link(&mut self, entry: &Entry, path: &[u8], target: &Target<'_>) -> Result<()> {
        if path == target.path {
            return Ok(());
        }
        let mut cursor = Cursor::new(self.onto);
        let (dir, name) = cursor.parent(path)?;
        let name = Name::new(name)?;
        self.replacing(entry, target, || dir.hardlink(name, target.dir, target.name))
    }

    /// Makes something in the place of what is there.
    fn replacing<T>(
        &mut self,
        entry: &Entry,
        target: &Target<'_>,
        create: impl Fn() -> fsroot::Result<T>,
    ) -> Result<T> {
        match create() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            answer => return Ok(answer?),
        }
        if self.always_replace {
            target.dir.remove_all(target.name)?;
        } else if target.dir.metadata(target.name)?.is_dir() {
            let (from, onto) = (shown(&entry.path), shown(&target.path));
            return Err(Error::invalid(format!("{from} cannot be copied onto {onto}, which is a directory")));
        } else {
            target.dir.unlink(target.name)?;
        }
        self.forget(&target.path);
        Ok(create()?)
    }

    /// What was copied there, or to a directory there, is there no more.
    fn forget(&mut self, path: &[u8]) {
        if let Some(first) = self.places.remove(path) {
            self.firsts.remove(&first);
        }
        if self.always_replace {
            let is_below = |place: &[u8]| place.strip_prefix(path).is_some_and(|rest| rest.starts_with(b"/"));
            self.firsts.retain(|_, place| !is_below(place));
        }
    }
}

fn leave(level: Option<(Dir, Timestamps)>) -> Result<()> {
    level.map_or(Ok(()), |(dir, times)| Ok(attributes::set_times(&dir, &times)?))
}
