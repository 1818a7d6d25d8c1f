//! Who is told what happens: numbers for steps, and how long each takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use store::Digest;

use crate::progress::{Amount, Ending, Event, StepId, StepInfo, Stream, Watch};

/// Numbers steps, and tells of them.
pub(crate) struct Reporter<'a> {
    watch: &'a dyn Watch,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: StepId,
    operations: BTreeMap<Digest, StepId>,
    began: BTreeMap<StepId, Instant>,
    ended: BTreeSet<StepId>,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(watch: &'a dyn Watch) -> Reporter<'a> {
        Reporter { watch, state: Mutex::default() }
    }

    /// There is a further step. One of an operation is told of once.
    pub(crate) fn plan(&self, name: &str, operation: Option<Digest>, inputs: Vec<StepId>) -> StepId {
        let mut state = self.state();
        if let Some(known) = operation.and_then(|operation| state.operations.get(&operation).copied()) {
            return known;
        }
        let id = state.next;
        state.next += 1;
        if let Some(operation) = operation {
            state.operations.insert(operation, id);
        }
        drop(state);
        self.tell(Event::Planned(StepInfo { id, operation, name: name.to_owned(), inputs }));
        id
    }

    /// The step of an operation that was planned.
    pub(crate) fn step_of(&self, operation: &Digest) -> StepId {
        self.state().operations.get(operation).copied().unwrap_or_default()
    }

    /// A step has begun. One that has ended before, for another platform, is not told of again.
    pub(crate) fn start(&self, step: StepId) {
        let mut state = self.state();
        if state.ended.contains(&step) {
            return;
        }
        state.began.insert(step, Instant::now());
        drop(state);
        self.tell(Event::Started(step));
    }

    /// A step has ended.
    pub(crate) fn end(&self, step: StepId, ending: Ending) {
        let mut state = self.state();
        if !state.ended.insert(step) {
            return;
        }
        let took = state.began.remove(&step).map(|began| began.elapsed()).unwrap_or_default();
        drop(state);
        self.tell(Event::Ended { step, ending, took });
    }

    /// Does something as a step of its own.
    ///
    /// # Errors
    /// Those of what is done.
    pub(crate) fn during<T>(&self, name: &str, work: impl FnOnce(StepId) -> crate::Result<T>) -> crate::Result<T> {
        let step = self.plan(name, None, Vec::new());
        self.start(step);
        let done = work(step);
        self.end(step, done.as_ref().map_or_else(|error| Ending::Failed(error.to_string()), |_| Ending::Done));
        done
    }

    /// A command has written something.
    pub(crate) fn output(&self, step: StepId, stream: Stream, bytes: &[u8]) {
        self.tell(Event::Output { step, stream, bytes: bytes.to_vec() });
    }

    /// A part of a step is so far.
    pub(crate) fn progress(&self, step: StepId, part: &str, amount: Amount, done: bool) {
        self.tell(Event::Progress { step, part: part.to_owned(), amount, done });
    }

    /// Something has happened.
    pub(crate) fn tell(&self, event: Event) {
        self.watch.event(SystemTime::now(), event);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
