//! `phial system …`, `info` and `version`.

use super::{Entry, Execute, leaf};

/// `boot` and `shutdown`.
mod boot;
/// `check`.
pub(super) mod check;
/// `df`.
pub(super) mod df;
/// `events`.
pub(super) mod events;
/// `info`.
pub(super) mod info;
/// `prune`.
pub(super) mod prune;
/// `sync`.
pub(super) mod sync;
/// `version`.
pub(super) mod version;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<boot::Boot>("boot", "Start what should be running after a boot of the host"),
    leaf::<check::Check>("check", "Verify images, containers and volumes, and repair what can be"),
    leaf::<df::Df>("df", "Show how much room images, containers and volumes take"),
    leaf::<events::Events>("events", "Show what happens to containers, images and volumes"),
    leaf::<info::Info>("info", "Show what this host is and has"),
    leaf::<boot::Shutdown>("shutdown", "Stop every container; 'system boot' brings them back"),
    leaf::<prune::Prune>("prune", "Remove what nobody uses"),
    leaf::<sync::Sync>("sync", "Wait until every image is on disk, safe from a power failure"),
];
