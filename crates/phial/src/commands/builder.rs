//! `phial builder …`, which is `phial buildx …` as well: builds and what they leave.

use engine::Filters;

use super::{Entry, Execute, leaf};
use crate::failure::{Failure, Result};

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

/// The values of `type`, each of which is one that there is. `purpose` completes "cannot …:".
fn kinds(filters: &Filters, purpose: &str) -> Result<Vec<String>> {
    let parse = |kind: &str| {
        if build::CACHE_KINDS.contains(&kind) {
            return Ok(kind.to_owned());
        }
        let failure =
            Failure::new(format!("cannot {purpose}: invalid filter 'type={kind}': there is no such type of records"));
        Err(match notation::similar(kind, build::CACHE_KINDS) {
            Some(meant) => failure.with_hint(format!("did you mean {meant}?")),
            None => failure.with_hint(format!("there is {}", build::CACHE_KINDS.join(", "))),
        })
    };
    filters.values("type").map(parse).collect()
}
