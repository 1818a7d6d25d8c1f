//! `phial manifest …`: images of several platforms under one name.

use super::{Entry, Execute, each, leaf};

/// `annotate`.
mod annotate;
/// `create`.
mod create;
/// `inspect`.
mod inspect;
/// `push`.
mod push;
/// `rm`.
mod rm;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<annotate::Annotate>("annotate", "Say what a manifest of a list is for"),
    leaf::<create::Create>("create", "Make a list of manifests, or add to one"),
    leaf::<inspect::Inspect>("inspect", "Show a list or a manifest, as JSON"),
    leaf::<push::Push>("push", "Put a list into its registry"),
    leaf::<rm::Rm>("rm", "Forget lists"),
];
