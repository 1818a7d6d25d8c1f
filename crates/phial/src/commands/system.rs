//! `phial system …`, `info` and `version`.

use super::{Entry, Execute, leaf};

/// `check`.
pub(super) mod check;
/// `df`.
pub(super) mod df;
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
    leaf::<check::Check>("check", "Verify images, containers and volumes, and repair what can be"),
    leaf::<df::Df>("df", "Show how much room images, containers and volumes take"),
    leaf::<events::Events>("events", "Show what happens to containers, images and volumes"),
    leaf::<info::Info>("info", "Show what this host is and has"),
    leaf::<sync::Sync>("sync", "Wait until every image is on disk, safe from a power failure"),
];
