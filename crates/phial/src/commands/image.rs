//! `phial image …`.

use super::{Entry, Execute, also, each, leaf};

/// `bootstrap`.
pub(super) mod bootstrap;
/// `history`.
pub(super) mod history;
/// `import`.
pub(super) mod import;
/// `load`.
pub(super) mod load;
/// `ls`.
pub(super) mod ls;
/// `mount` and `unmount`.
pub(super) mod mount;
/// `prune`.
pub(super) mod prune;
/// `pull`.
pub(super) mod pull;
/// `push`.
pub(super) mod push;
/// `rm`.
pub(super) mod rm;
/// `save`.
pub(super) mod save;
/// `tag`.
pub(super) mod tag;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<bootstrap::Bootstrap>("bootstrap", "Make an image from the programs of this host, without a registry"),
    leaf::<super::build::Build>("build", "Build an image from a Dockerfile"),
    leaf::<history::History>("history", "Show how an image came to be"),
    leaf::<import::Import>("import", "Make an image of the files in an archive"),
    leaf::<super::inspect::InspectImage>("inspect", "Show everything about images, as JSON"),
    leaf::<load::Load>("load", "Take images out of a file, or standard input"),
    also(leaf::<ls::Images>("ls", "List images"), &["list"]),
    leaf::<mount::Mount>("mount", "Mount the files of an image, to look at them"),
    leaf::<prune::Prune>("prune", "Remove images that nobody uses"),
    leaf::<pull::Pull>("pull", "Download an image from a registry"),
    leaf::<push::Push>("push", "Upload an image to a registry"),
    also(leaf::<rm::Rmi>("rm", "Remove images"), &["remove"]),
    leaf::<save::Save>("save", "Write images into a file, or to standard output"),
    leaf::<tag::Tag>("tag", "Give an image one more name"),
    leaf::<mount::Unmount>("unmount", "Take away what mount has mounted"),
];
