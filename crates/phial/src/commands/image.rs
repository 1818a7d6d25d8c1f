//! `phial image …`.

use super::{Entry, Execute, each, leaf};

/// `bootstrap`.
pub(super) mod bootstrap;
/// `ls`.
pub(super) mod ls;
/// `pull`.
pub(super) mod pull;
/// `rm`.
pub(super) mod rm;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<bootstrap::Bootstrap>("bootstrap", "Make an image from the programs of this host, without a registry"),
    leaf::<super::inspect::InspectImage>("inspect", "Show everything about images, as JSON"),
    leaf::<ls::Images>("ls", "List images"),
    leaf::<pull::Pull>("pull", "Download an image from a registry"),
    leaf::<rm::Rmi>("rm", "Remove images"),
];
