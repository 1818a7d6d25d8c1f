//! From an operation to a layer of its own, which is there whole or not at all, and made once however many builds want it.

use std::ops::Range;
use std::time::{Duration, Instant};

use fsroot::Root;
use image::layer::{self, Form};
use store::{Digest, Hold, LayerWriter, NameHold, StepResult};

use super::prepare::Prepared;
use super::{Job, Outcome, Value, name_of};
use crate::error::{Error, Result};
use crate::explain;
use crate::inputs::Inputs;
use crate::progress::{Event, StepId};
use crate::tree::Tree;

/// How long it is waited for others before it is looked again: at first, and at last.
const PAUSES: Range<Duration> = Duration::from_millis(1)..Duration::from_millis(50);

/// What is made, and what is known of it.
pub(super) struct Making<'a> {
    /// Which step, if it is one itself.
    pub(super) step: Option<StepId>,
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
    /// What an operation makes upon a tree.
    pub(super) fn making<'m>(&'m self, number: usize, prepared: &'m Prepared<'a>, base: &Tree) -> Making<'m> {
        let vertex = &self.graph.vertices[number];
        Making {
            step: Some(self.step(number)),
            key: prepared.key,
            base: base.clone(),
            kind: "regular",
            family: explain::family(name_of(vertex)),
            inputs: &prepared.inputs,
            anew: vertex.metadata.ignore_cache,
        }
    }

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
        self.committed(making, writer, began)
    }

    /// What was written is the result from now on.
    pub(super) fn committed(&self, making: &Making<'_>, writer: LayerWriter, began: Instant) -> Result<Outcome<'a>> {
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
        let mut told = making.step;
        let alone = self.waited(|| {
            let held = self.store().try_hold(&making.key, Hold::Alone)?;
            if let (None, Some(step)) = (&held, told.take()) {
                self.reporter.tell(Event::Waiting(step));
            }
            Ok(held)
        })?;
        Ok(match self.store().step_result(&making.key)? {
            Some(result) => Turn::Found(result),
            None => Turn::Ours(Some(alone)),
        })
    }

    /// Waits for what others have, and may have for long, as long as the build goes on. It looks again and again, as flock(2) waits
    /// for nothing else meanwhile.
    ///
    /// # Errors
    /// Those of `attempt`; `Canceled`.
    pub(super) fn waited<T>(&self, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let mut pause = PAUSES.start;
        loop {
            if let Some(had) = attempt()? {
                return Ok(had);
            }
            if self.is_canceled() {
                return Err(Self::canceled());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.end);
        }
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
    Ours(Option<NameHold>),
}
