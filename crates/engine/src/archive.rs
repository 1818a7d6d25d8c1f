//! Files of containers, seen from outside: `cp`, `export`, `diff`.
//!
//! A container's file system is a stranger's, and while it runs it is in his hands. So nothing here enters it: it is opened once, as one
//! descriptor, and every path in it is resolved below that descriptor (`fsroot`), where neither a symlink (CVE-2018-15664) nor a
//! program or library of the container (CVE-2019-14271) can lead anywhere else.

/// `cp`.
mod copy;
/// `diff`.
mod diff;
/// `export`.
mod export;
/// What is mounted in a container that does not run.
mod mounted;
/// Overlays that are mounted for a look.
mod overlay;
/// What `cp` does with slashes, dots and what is there already: pure, but for looking.
mod place;
/// The file system of a container as one descriptor.
mod view;

pub use copy::{Copied, CopyOptions, End};
pub use diff::{Change, ChangeKind};
pub use overlay::mounted_tree;

pub(crate) use overlay::{mount_image, unmount};
