//! Owner, mode, times and extended attributes of what is made. Owns what a change gives and what it keeps; every call goes by
//! descriptor, and is left out where the file already is as it should be: on overlayfs even a change to what
//! it was copies a file up.

use std::cell::RefCell;
use std::os::fd::AsFd;

use fsroot::{Dir, ErrorKind, Metadata, Name, Timespec, Timestamps, attributes};

use super::mode::Mode;
use super::{Ids, Origin};
use crate::error::Result;
use crate::llb::message::file::Copy;

/// What everything that is copied gets.
pub(super) struct Change {
    owner: Option<Ids>,
    mode: Mode,
    time: Option<Timespec>,
}

impl Change {
    pub(super) fn of(copy: &Copy, owner: Option<Ids>) -> Result<Change> {
        let mode = match (copy.mode_str.as_str(), u32::try_from(copy.mode)) {
            ("", Ok(mode)) => Mode::Bits(mode & 0o7777),
            ("", Err(_)) => Mode::Own,
            (text, _) => Mode::parse(text)?,
        };
        Ok(Change { owner, mode, time: time(copy.timestamp) })
    }

    /// What directories get that are made although the source has none: those above the destination.
    pub(super) fn above(&self) -> Made {
        let mode = if let Mode::Bits(mode) = self.mode { mode & 0o777 } else { 0o755 };
        Made { mode, owner: self.owner, time: self.time, again: RefCell::default() }
    }

    pub(super) fn ids(&self, found: &Metadata, from: &Origin<'_>) -> Ids {
        self.owner.unwrap_or_else(|| owner_in(found, from))
    }

    pub(super) fn mode(&self, found: &Metadata) -> u32 {
        self.mode.of(found.mode, found.is_dir())
    }

    pub(super) fn times(&self, found: &Metadata) -> Timestamps {
        both(self.time.unwrap_or(found.modified))
    }
}

/// Whose a file is that was found there.
pub(super) fn owner_in(found: &Metadata, from: &Origin<'_>) -> Ids {
    if from.belongs_to_root { (0, 0) } else { (found.uid, found.gid) }
}

/// How directories are made that no source has.
pub(super) struct Made {
    mode: u32,
    owner: Option<Ids>,
    time: Option<Timespec>,
    /// Those that get their time once more, because what is made in a directory changes it.
    again: RefCell<Vec<Dir>>,
}

impl Made {
    pub(super) fn new(mode: i32, owner: Option<Ids>, timestamp: i64) -> Made {
        Made { mode: mode.cast_unsigned() & 0o777, owner, time: time(timestamp), again: RefCell::default() }
    }

    /// Makes the directory. One that is there already stays as it is.
    pub(super) fn make(&self, parent: &Dir, name: Name<'_>) -> Result<Dir> {
        match parent.make_dir(name, self.mode) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(parent.open_dir(name)?),
            made => made?,
        }
        let dir = parent.open_dir(name)?;
        let found = attributes::metadata(&dir)?;
        let ids = self.owner.unwrap_or((found.uid, found.gid));
        give(&dir, &found, ids, self.mode | found.mode & 0o2000, &[])?;
        if let Some(time) = self.time {
            attributes::set_times(&dir, &both(time))?;
            self.again.borrow_mut().push(dir.try_clone()?);
        }
        Ok(dir)
    }

    /// Sets times, when all is made that is made in them.
    pub(super) fn finish(&self) -> Result<()> {
        for dir in self.again.borrow().iter().rev() {
            if let Some(time) = self.time {
                attributes::set_times(dir, &both(time))?;
            }
        }
        Ok(())
    }
}

/// Gives a file what it has not yet.
pub(super) fn give(file: impl AsFd, found: &Metadata, ids: Ids, mode: u32, xattrs: &[Xattr]) -> Result<()> {
    let has_owner = (found.uid, found.gid) == ids;
    if !has_owner {
        attributes::set_owner(&file, ids.0, ids.1)?;
    }
    // Every change of owner takes set-id bits away, and capabilities.
    if found.mode != mode || (!has_owner && mode & 0o6000 != 0) {
        attributes::set_mode(&file, mode)?;
    }
    for (key, value) in xattrs {
        match attributes::set_xattr(&file, key, value) {
            // The file system has none of the kind.
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            set => set?,
        }
    }
    Ok(())
}

/// An extended attribute: its name and its value.
pub(super) type Xattr = (Vec<u8>, Vec<u8>);

/// Extended attributes that a copy has as well. Not those in which overlayfs without privileges keeps what it knows of layers:
/// with them a source could say what shows through from other layers.
pub(super) fn kept_xattrs(file: impl AsFd) -> Result<Vec<Xattr>> {
    let mut kept = Vec::new();
    for key in attributes::xattr_names(&file)? {
        let is_users = key.starts_with(b"user.") && !key.starts_with(b"user.overlay.");
        if !is_users && key != b"security.capability" {
            continue;
        }
        if let Some(value) = attributes::xattr(&file, &key)? {
            kept.push((key, value));
        }
    }
    Ok(kept)
}

/// Nanoseconds since 1970; a negative number stands for none.
pub(super) fn time(timestamp: i64) -> Option<Timespec> {
    let time = Timespec { tv_sec: timestamp / 1_000_000_000, tv_nsec: timestamp % 1_000_000_000 };
    (timestamp >= 0).then_some(time)
}

pub(super) fn both(time: Timespec) -> Timestamps {
    Timestamps { last_access: time, last_modification: time }
}
