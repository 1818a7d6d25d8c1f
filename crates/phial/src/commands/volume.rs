//! `phial volume …`.

use super::{Entry, Execute, also, each, leaf};

/// `create`.
pub(super) mod create;
/// `export`.
pub(super) mod export;
/// `import`.
pub(super) mod import;
/// `ls`.
pub(super) mod ls;
/// `prune`.
pub(super) mod prune;
/// `rm`.
pub(super) mod rm;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<create::Create>("create", "Create a volume"),
    leaf::<export::Export>("export", "Write all files of a volume as a tar archive"),
    leaf::<import::Import>("import", "Put the files of an archive into a volume"),
    leaf::<super::inspect::InspectVolume>("inspect", "Show everything about volumes, as JSON"),
    also(leaf::<ls::Ls>("ls", "List volumes"), &["list"]),
    leaf::<prune::Prune>("prune", "Remove volumes that no container uses"),
    also(leaf::<rm::Rm>("rm", "Remove volumes"), &["remove"]),
];
