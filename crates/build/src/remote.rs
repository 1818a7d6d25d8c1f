//! What other hosts have done, and what is left for them: `--cache-from` and `--cache-to`.
//!
//! A step is found here by a key over the names of the layers that it is made upon, and these names mean nothing elsewhere. What
//! is the same everywhere is what a layer has in it: the digest of its archive. So a step has a second key, its [`Recipe`]'s, over
//! those; and what is left for others says of each such key which layer was made, by its digest again. Who fetches it gives
//! the layer no other name than that, and believes no content that has not that digest: a cache can name no layer after
//! another one. It can say that a step has made what it never makes. So it must be trusted as an image is that a build begins with, and
//! it has a say in nothing but builds that ask for it.

/// What is written down. Pure.
mod document;
/// What is left for others.
mod export;
/// What others have left.
mod import;
/// What is the same on all hosts.
mod recipe;
/// What the attributes of a cache mean.
mod settings;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use store::{Digest, StepResult};

pub(crate) use document::FIELD;
pub(crate) use export::{export, inline};
pub(crate) use import::{Imported, Wanted};
pub(crate) use recipe::{OWNER, Recipe};
pub(crate) use settings::check;

/// What is noted of a build's steps while it goes on.
#[derive(Default)]
pub(crate) struct Notes {
    made: Mutex<BTreeSet<Digest>>,
    steps: Mutex<Vec<(Recipe, i64)>>,
}

impl Notes {
    /// These layers are called as steps call theirs, and not as images do.
    pub(crate) fn made(&self, result: &StepResult) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).extend(&result.own);
    }

    /// A step has come to this result.
    pub(crate) fn step(&self, recipe: &Recipe, result: i64) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if !steps.iter().any(|(_, known)| *known == result) {
            steps.push((recipe.clone(), result));
        }
    }

    fn is_made(&self, layer: &Digest) -> bool {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).contains(layer)
    }

    fn steps(&self) -> Vec<(Recipe, i64)> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
