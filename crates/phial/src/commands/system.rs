//! `phial system …`, `info` and `version`.

use super::{Entry, Execute, leaf};

/// `events`.
pub(super) mod events;
/// `info`.
pub(super) mod info;
/// `sync`.
pub(super) mod sync;
/// `version`.
pub(super) mod version;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<events::Events>("events", "Show what happens to containers, images and volumes"),
    leaf::<info::Info>("info", "Show what this host is and has"),
    leaf::<sync::Sync>("sync", "Wait until every image is on disk, safe from a power failure"),
];
