//! `phial builder …`, which is `phial buildx …` as well: builds and what they leave.

use super::{Entry, Execute, leaf};

/// `du`.
pub(super) mod du;
/// `prune`.
mod prune;

/// The group's table, in the order of the help.
pub(super) const COMMANDS: &[Entry] = &[
    leaf::<super::build::Build>("build", "Build an image from a Dockerfile"),
    leaf::<du::Du>("du", "Show what builds have left so that others need not do it again"),
    leaf::<prune::Prune>("prune", "Remove what builds have left"),
];

pub(super) use prune::unused_for;

/// A record's description, which has strangers' texts.
fn description(record: &build::CacheRecord) -> String {
    crate::output::human::harmless(&record.description)
}
