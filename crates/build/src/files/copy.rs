//! A selection becomes files. Owns where each of them goes, and what happens to what is there already.
//!
//! Where something goes is said as `BuildKit` has it (fsutil's `copy`): symlinks in the destination are followed inside its root, also
//! the last; what is at the end of a path below it never is. A directory that is there keeps its owner and mode
//! if it is the destination, and gets those of the source if it lies below.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

use fsroot::{Dir, ErrorKind, Follow, Metadata, Name, OFlags, Root, Timestamps, attributes};

use super::attributes::{Change, Made, give, kept_xattrs};
use super::content::Content;
use super::cursor::Cursor;
use super::resolve::{Spot, directory, is_gone, no_directory, resolve, without_slashes};
use super::selection::{Entry, Selection, Source};
use super::sums::check;
use super::unpack::unpack;
use super::{Ids, Origin, changed, joined, shown, split};
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
            content: Content::new(),
            firsts: HashMap::new(),
            done: Copied::default(),
        };
        for source in &self.sources {
            let top = &self.entries[source.entries.start];
            if copy.attempt_unpack && top.found.is_file() {
                let archive = copier.open(top)?;
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
    content: Content,
    /// Copies of files that have more names, by their number: where they are, and what.
    firsts: HashMap<usize, (Vec<u8>, Metadata)>,
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
            let depth = if below.is_empty() { 0 } else { 1 + below.iter().filter(|byte| **byte == b'/').count() };
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
            made => made.map(|()| true)?,
        };
        let made = dir.open_dir(name)?;
        if is_new || !is_top {
            let found = attributes::metadata(&made)?;
            if is_new || entry.is_taken {
                let xattrs = kept_xattrs(self.cursor.dir(&entry.path)?)?;
                give(&made, &found, ids, mode, &xattrs)?;
            } else {
                give(&made, &found, (found.uid, found.gid), entry.found.mode, &[])?;
            }
        }
        Ok(made)
    }

    /// Copies what is no directory.
    fn file(&mut self, index: usize, target: &Target<'_>) -> Result<()> {
        let entry = &self.selection.entries[index];
        let found = &entry.found;
        self.done.files += 1;
        if found.is_file() {
            if let Some((path, made)) = entry.first.and_then(|first| self.firsts.get(&first)).cloned()
                && self.link(entry, &path, &made, target)?
            {
                return Ok(());
            }
            let made = self.regular(entry, target)?;
            if found.links > 1 {
                self.firsts.insert(entry.first.unwrap_or(index), (target.path.clone(), made));
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
        let (made, (user, group)) = (dir.metadata(name)?, self.change.ids(found, self.from));
        let has_owner = (made.uid, made.gid) == (user, group);
        if !has_owner {
            dir.set_owner(name, user, group)?;
        }
        if !found.is_symlink() && (made.mode != mode || !has_owner) {
            dir.set_mode(name, mode)?;
        }
        Ok(dir.set_times(name, &self.change.times(found))?)
    }

    /// Copies a regular file; what the copy is.
    fn regular(&mut self, entry: &Entry, target: &Target<'_>) -> Result<Metadata> {
        let found = &entry.found;
        let source = self.open(entry)?;
        let Target { dir, name, .. } = *target;
        let (ids, mode) = (self.change.ids(found, self.from), self.change.mode(found));
        let file = self.replacing(entry, target, || dir.create_file(name, mode & 0o777))?;
        let copied = self.content.copy(source.as_fd(), file.as_fd(), found.size);
        copied.map_err(|errno| Error::system(format_args!("copying {}", shown(&entry.path)), errno))?;
        let xattrs = kept_xattrs(&source)?;
        check(&source, entry)?;
        let made = attributes::metadata(&file)?;
        give(&file, &made, ids, mode, &xattrs)?;
        attributes::set_times(&file, &self.change.times(found))?;
        self.done.bytes += found.size;
        Ok(made)
    }

    /// Opens a regular file for reading.
    ///
    /// It was seen to be one, so it is opened at once and then looked at again. Should it have become a FIFO, opening it does not
    /// block; nothing is read from what is not the same file.
    fn open(&mut self, entry: &Entry) -> Result<OwnedFd> {
        let (dir, name) = self.cursor.parent(&entry.path)?;
        let opened = dir.open(Name::new(name)?, OFlags::RDONLY | OFlags::NONBLOCK);
        let file = opened.map_err(|error| if is_gone(&error) { changed(&entry.path) } else { error.into() })?;
        check(&file, entry)?;
        Ok(file)
    }

    /// Gives the copy of a file a second name; false if the copy has been replaced by another one since.
    fn link(&self, entry: &Entry, path: &[u8], made: &Metadata, target: &Target<'_>) -> Result<bool> {
        let mut cursor = Cursor::new(self.onto);
        let (dir, name) = cursor.parent(path)?;
        let name = Name::new(name)?;
        if path == target.path || !dir.metadata(name).is_ok_and(|found| found.same_file(made)) {
            return Ok(false);
        }
        self.replacing(entry, target, || dir.hardlink(name, target.dir, target.name))?;
        Ok(true)
    }

    /// Makes something in the place of what is there.
    fn replacing<T>(&self, entry: &Entry, target: &Target<'_>, make: impl Fn() -> fsroot::Result<T>) -> Result<T> {
        match make() {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return Ok(made?),
        }
        if self.always_replace {
            target.dir.remove_all(target.name)?;
        } else if target.dir.metadata(target.name)?.is_dir() {
            let (from, onto) = (shown(&entry.path), shown(&target.path));
            return Err(Error::invalid(format!("{from} cannot be copied onto {onto}, which is a directory")));
        } else {
            target.dir.unlink(target.name)?;
        }
        Ok(make()?)
    }
}

fn leave(level: Option<(Dir, Timestamps)>) -> Result<()> {
    level.map_or(Ok(()), |(dir, times)| Ok(attributes::set_times(&dir, &times)?))
}
