//! Paths that strangers wrote, resolved by file descriptor below a root.
//!
//! # Threat model
//!
//! The tree below a [`Root`] belongs to an adversary: it came out of an image, a volume or a build context, and while
//! we work on it a running container may rename, replace and exchange anything in it. The path that we are asked
//! to use may come from the same hand. The process that calls this crate has more rights than the adversary, so one
//! path resolved in the wrong place is a breakout (CVE-2014-9357, CVE-2021-30465, CVE-2024-45310, CVE-2025-47290).
//!
//! What this crate promises:
//!
//! - **Nothing outside the root is opened, made, changed or removed.** `..` stops at the root, an absolute symlink starts
//!   again at the root, as a process would see it after chroot. Images where `/var/run` is a symlink to `/run` are
//!   normal, so symlinks are followed inside the root and not refused (`RESOLVE_IN_ROOT`, not `RESOLVE_BENEATH`).
//! - **Magic links lead nowhere** (`RESOLVE_NO_MAGICLINKS`): `/proc/self/exe` or `/proc/1/root` below a root is an error.
//! - **A path is resolved once.** What comes back is a file descriptor, and all later work goes through it. Every call
//!   that makes or removes something takes the descriptor of the parent and one single [`Name`], and the kernel
//!   never follows a symlink in that position.
//! - **Whether the last component is followed is written at the call** ([`Follow`]); calls that change something never do.
//! - **Opening is harmless**: contents are read only from what was seen to be a regular file beforehand, so neither a FIFO
//!   nor a device node that took the place of `/etc/passwd` can block us or be triggered, and sizes are capped.
//!
//! What it leaves to its callers:
//!
//! - The path that *opens* a root is ours, and trusted. So is `/proc` of this process (checked to be procfs at every use).
//! - A directory whose descriptor we hold can be moved by the adversary to wherever *he* can write. Work through the descriptor
//!   then goes on there; that gives him nothing that he could not do himself.
//! - Two names may be one file. Whoever must not write through a hard link creates a new file ([`Root::write_file`] does).
//! - On kernels without `openat2` (before 5.6) every call is refused; there is no weaker fallback.
//!
//! Calls that fail print as the call, its arguments with the path behind each descriptor, and the errno ([`Error`]).

#![forbid(unsafe_code)]

/// What a failed call says to people, and [`ErrorKind`] for programs.
mod error;
pub use error::{Error, ErrorKind, Result};

/// One path component, checked: not empty, no slash, no NUL, neither `.` nor `..`.
mod name;
pub use name::Name;

/// Owner, mode, times and extended attributes of something that is already open, by descriptor only.
pub mod attributes;
pub use attributes::Metadata;

/// What is in a regular file, copied to another one, by descriptor.
mod contents;
pub use contents::Contents;

/// One open directory and what can be done to the names in it. No call resolves more than one component.
mod dir;
pub use dir::Dir;

/// A directory that paths of strangers are resolved in.
mod root;
pub use root::{Follow, Root};

/// Removal of whole trees, of any depth, by descriptor.
mod remove;

/// Creation of the missing part of a path, against a container that swaps directories meanwhile.
mod make;

/// The types of the kernel interface that appear in signatures.
pub use rustix::fs::{FileType, OFlags, Timespec, Timestamps};
