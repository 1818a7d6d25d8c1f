//! `phial volume …`.

use super::{Entry, Execute, each, leaf};

/// `create`.
pub(super) mod create;
/// `ls`.
pub(super) mod ls;
/// `prune`.
pub(super) mod prune;
/// `rm`.
pub(super) mod rm;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<create::Create>("create", "Create a volume"),
    leaf::<super::inspect::InspectVolume>("inspect", "Show everything about volumes, as JSON"),
    leaf::<ls::Ls>("ls", "List volumes"),
    leaf::<prune::Prune>("prune", "Remove volumes that no container uses"),
    leaf::<rm::Rm>("rm", "Remove volumes"),
];
