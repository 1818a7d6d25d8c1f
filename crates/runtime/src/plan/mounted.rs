//! What is mounted or made in the container's file system, as plain data.

use std::ffi::{CStr, CString};
use std::path::PathBuf;

use rustix::mount::{MountAttrFlags, MountFlags};
use sys::mount::{Change, Propagation};

use super::c_string;
use crate::error::Result;

/// What happens at a mount point that is a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// It is followed, in the container's root.
    Follow,
    /// It is the mount point itself.
    Keep,
}

/// A file system made new for the container.
#[derive(Debug, Clone)]
pub struct NewMount {
    /// `proc`, `tmpfs`, `devpts`, …
    pub file_system: CString,
    /// Options of the file system, with or without a value.
    pub options: Vec<(CString, Option<CString>)>,
    /// Options of the mount.
    pub attributes: MountAttrFlags,
    /// Propagation other than private.
    pub propagation: Option<Propagation>,
    /// Where it goes, an absolute path in the container.
    pub target: CString,
    /// Whether the last component of the target may be a link.
    pub links: Links,
    /// What is in it at first.
    pub contents: Contents,
    /// The same in the words of `mount(2)`.
    pub classic: Classic,
}

/// What is in a file system that was just made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Whatever the kernel puts into it.
    Own,
    /// Nothing; its root has the mode of the directory that it hides, if there was one.
    LikeTarget,
    /// A copy of what the directory has that it hides.
    CopyOfTarget {
        /// Whether the root's mode is copied too.
        mode: bool,
    },
}

/// A mount as `mount(2)` takes it: for kernels without `fsopen(2)`, and for what that cannot say.
#[derive(Debug, Clone)]
pub struct Classic {
    /// `mount(2)`'s source.
    pub source: CString,
    /// Its flags.
    pub flags: MountFlags,
    /// Its data.
    pub data: CString,
    /// Whether nothing else can say it.
    pub only: bool,
}

impl Classic {
    /// One more option of the file system, with a value that may have commas in it.
    pub(super) fn add(&mut self, key: &CStr, value: &CStr) -> Result<()> {
        let comma = if self.data.is_empty() { "" } else { "," };
        let words: [&[u8]; 6] =
            [self.data.as_bytes(), comma.as_bytes(), key.to_bytes(), b"=\"", value.to_bytes(), b"\""];
        self.data = c_string(&words.concat(), "mounts.options")?;
        Ok(())
    }
}

/// A copy of a mount of the host.
#[derive(Debug, Clone)]
pub struct Bind {
    /// File or directory of the host.
    pub path: PathBuf,
    /// Whether mounts below come along.
    pub recursive: bool,
    /// What is changed everywhere in it, propagation among it.
    pub everywhere: Change,
    /// What is changed at its top, after that.
    pub top: Change,
    /// How ids are shown, if differently.
    pub ids: Option<MappedIds>,
    /// What becomes of a path that is a link.
    pub link: SourceLink,
    /// What below the path is meant, if not all of it: resolved as if the path were the root, because others can write there.
    pub below: Option<CString>,
}

/// The files of an image as one tree.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Directories of layers, the topmost first.
    pub lower: Vec<PathBuf>,
    /// Where changes go, and overlayfs's work directory beside it; without, nothing can be changed.
    pub upper: Option<(PathBuf, PathBuf)>,
    /// What of it is meant, if not all.
    pub below: Option<CString>,
}

/// What becomes of a source that is a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceLink {
    /// What it leads to is mounted.
    Follow,
    /// It is mounted itself.
    Keep,
    /// A link with the same content is made.
    Copy,
}

/// How a mount shows ids of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedIds {
    /// Where the maps are.
    pub maps: IdMaps,
    /// Whether mounts below are mapped as well.
    pub recursive: bool,
}

/// Maps of ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdMaps {
    /// Lines of `uid_map` and `gid_map` (`user_namespaces(7)`).
    Lines {
        /// Of users.
        uids: String,
        /// Of groups.
        gids: String,
    },
    /// Those of an existing user namespace.
    Namespace(PathBuf),
}

/// A device file.
#[derive(Debug, Clone)]
pub struct Device {
    /// Absolute path in the container.
    pub path: CString,
    /// Character, block or fifo.
    pub kind: rustix::fs::FileType,
    /// Major and minor number as the kernel packs them.
    pub number: u64,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Bind {
    /// A private copy of what is at a path.
    pub fn of(path: PathBuf) -> Bind {
        let everywhere = Change { propagation: Some(Propagation::Private), recursive: true, ..Change::NONE };
        Bind { path, recursive: false, everywhere, top: Change::NONE, ids: None, link: SourceLink::Follow, below: None }
    }
}
