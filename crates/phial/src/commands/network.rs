//! `phial network …`.

use super::{Entry, Execute, also, each, leaf};

/// `connect`.
pub(super) mod connect;
/// `create`.
pub(super) mod create;
/// `disconnect`.
pub(super) mod disconnect;
/// `ls`.
pub(super) mod ls;
/// `prune`.
pub(super) mod prune;
/// `reload`.
pub(super) mod reload;
/// `rm`.
pub(super) mod rm;
/// `trace`.
pub(super) mod trace;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<connect::Connect>("connect", "Connect a container to a network"),
    leaf::<create::Create>("create", "Create a network"),
    leaf::<disconnect::Disconnect>("disconnect", "Take a container off a network"),
    leaf::<super::inspect::InspectNetwork>("inspect", "Show everything about networks, as JSON"),
    also(leaf::<ls::Ls>("ls", "List networks"), &["list"]),
    leaf::<prune::Prune>("prune", "Remove networks that no running container is on"),
    leaf::<reload::Reload>("reload", "Put back links, addresses and rules that others have taken away"),
    also(leaf::<rm::Rm>("rm", "Remove networks"), &["remove"]),
    leaf::<trace::TraceNetwork>("trace", "Show the way of a packet, rule by rule"),
];
