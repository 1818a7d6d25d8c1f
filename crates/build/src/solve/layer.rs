//! From an operation to a layer of its own, which is there whole or not at all, and made once however many builds want it.

use std::time::Instant;

use fsroot::Root;
use image::layer::{self, Form};
use store::{Digest, LayerWriter, NameLock, StepResult};

use super::{Job, Outcome, Value};
use crate::error::{Error, Result};
use crate::inputs::Inputs;
use crate::progress::{Event, StepId};
use crate::tree::Tree;

/// What is made, and what is known of it.
pub(super) struct Making<'a> {
    /// Which step.
    pub(super) step: StepId,
    /// What it is found by.
    pub(super) key: Digest,
    /// What it is made upon.
    pub(super) base: Tree,
    /// What kind of step it is, by the names that `docker builder du` has for them.
    pub(super) kind: &'static str,
    /// What it is called, without its number in the file.
    pub(super) family: &'a str,
    /// What it is made of.
    pub(super) inputs: &'a Inputs,
    /// Whether it is made although it was made before.
    pub(super) anew: bool,
}

impl<'a> Outcome<'a> {
    /// What the store has.
    pub(super) fn of_result(result: StepResult) -> Outcome<'a> {
        let values = result.outputs.into_iter().map(|layers| Value::Tree(Tree { layers })).collect();
        Outcome { values, created: Some(result.created), result: Some(result.id), is_cached: true }
    }
}

impl<'a> Job<'a> {
    /// Makes a layer upon others, unless another build has made it meanwhile. `fill` writes it.
    ///
    /// # Errors
    /// Those of `fill`; then nothing of the layer is left.
    pub(super) fn make(
        &self,
        making: &Making<'_>,
        fill: impl FnOnce(&LayerWriter) -> Result<()>,
    ) -> Result<Outcome<'a>> {
        let began = Instant::now();
        let _alone = match self.turn(making)? {
            Turn::Found(result) => {
                self.notes.made(&result);
                return Ok(Outcome::of_result(result));
            }
            Turn::Ours(alone) => alone,
        };
        // The name is another one each time, since what is made by the same key need not be the same: what is known of a layer by
        // its name, and what was made upon it, must not be taken for what is known of one that was made later.
        let writer = self.store().begin_nameless_layer(self.lease)?;
        fill(&writer)?;
        let root = Root::from_fd(writer.open()?)?;
        let size = layer::measure(root.dir(), Form::Layer)?.bytes;
        let name = *writer.diff_id();
        writer.commit(size)?;
        sys::fault::point("build: layer written");
        self.noted(making, name, size, began)
    }

    fn noted(&self, making: &Making<'_>, layer: Digest, size: u64, began: Instant) -> Result<Outcome<'a>> {
        let tree = making.base.with(layer);
        let mut result = StepResult {
            id: 0,
            outputs: vec![tree.layers],
            own: vec![layer],
            kind: making.kind.to_owned(),
            description: making.family.to_owned(),
            size,
            created: 0,
            used: 0,
            uses: 0,
            took: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            inputs: making.inputs.kept(),
        };
        self.store().commit_step(self.lease, &[making.key], &mut result)?;
        self.notes.made(&result);
        Ok(Outcome { is_cached: false, ..Outcome::of_result(result) })
    }

    /// Waits until nobody else makes what has the same key. What is made although it was made before is not shared.
    fn turn(&self, making: &Making<'_>) -> Result<Turn> {
        if making.anew {
            return Ok(Turn::Ours(None));
        }
        let alone = if let Some(alone) = self.store().lock_name(&making.key, false)? {
            Some(alone)
        } else {
            self.reporter.tell(Event::Waiting(making.step));
            self.store().lock_name(&making.key, true)?
        };
        Ok(match self.store().step_result(&making.key)? {
            Some(result) => Turn::Found(result),
            None => Turn::Ours(alone),
        })
    }

    /// The error of something that goes on although the build is about to end.
    pub(super) fn canceled() -> Error {
        Error::new(crate::ErrorKind::Canceled, "the build has ended meanwhile")
    }
}

enum Turn {
    /// Another has made it meanwhile.
    Found(StepResult),
    /// Whoever holds it makes it.
    Ours(Option<NameLock>),
}
