//! Which operations can be done now. First everything that was done before is looked up, by one thread and in order; what is
//! left is done by several, each operation as soon as all that it uses is there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::prepare::Prepared;
use super::{Job, MadeLayer, Outcome, Solved, Value, name_of};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Ending;
use crate::tree::Tree;

/// As many operations are done at once at most: commands mostly wait for processors and disks, and there are only so many.
const MOST_AT_ONCE: usize = 16;

/// What is done, and what can be done.
struct Board<'a> {
    outcomes: Vec<Option<Outcome<'a>>>,
    /// Of each operation, how many of those that it uses are not done.
    missing: Vec<usize>,
    /// Of each operation, those that use it, as often as they do.
    users: Vec<Vec<usize>>,
    ready: VecDeque<usize>,
    /// What was found out about operations that were looked up in vain.
    prepared: BTreeMap<usize, Prepared<'a>>,
    running: usize,
    failed: Option<Error>,
}

/// Solves a graph.
///
/// # Errors
/// The first one; what was made before stays in the store.
pub(crate) fn solve<'a>(job: &'a Job<'a>) -> Result<Solved> {
    let needed = job.graph.needed();
    for &vertex in &needed {
        let inputs = job.graph.vertices[vertex].inputs.iter().map(|(input, _)| job.step(*input)).collect();
        let vertex = &job.graph.vertices[vertex];
        job.reporter.plan(name_of(vertex), Some(vertex.digest), inputs);
    }
    for vertex in needed.iter().map(|vertex| &job.graph.vertices[*vertex]) {
        job.check_grants(vertex).map_err(|error| error.of_operation(vertex.digest))?;
    }
    let mut board = Board::new(job, &needed);
    board.look_up(job, &needed)?;
    if board.is_done(&needed) {
        return solved(job, &board, &needed);
    }
    let left = needed.iter().filter(|vertex| board.outcomes[**vertex].is_none()).count();
    let (board, changed) = (Mutex::new(board), Condvar::new());
    std::thread::scope(|scope| {
        for _ in 1..left.min(MOST_AT_ONCE) {
            let work = || work(job, &board, &changed);
            if std::thread::Builder::new().name("build".into()).spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work(job, &board, &changed);
    });
    let mut board = board.into_inner().unwrap_or_else(PoisonError::into_inner);
    match board.failed.take() {
        Some(error) => Err(error),
        None => solved(job, &board, &needed),
    }
}

impl<'a> Board<'a> {
    fn new(job: &Job<'_>, needed: &[usize]) -> Board<'a> {
        let count = job.graph.vertices.len();
        let (mut missing, mut users) = (vec![0; count], vec![Vec::new(); count]);
        for &vertex in needed {
            let inputs = &job.graph.vertices[vertex].inputs;
            missing[vertex] = inputs.len();
            for (input, _) in inputs {
                users[*input].push(vertex);
            }
        }
        let ready = needed.iter().copied().filter(|vertex| missing[*vertex] == 0).collect();
        let outcomes = std::iter::repeat_with(|| None).take(count).collect();
        Board { outcomes, missing, users, ready, prepared: BTreeMap::new(), running: 0, failed: None }
    }

    fn is_done(&self, needed: &[usize]) -> bool {
        needed.iter().all(|vertex| self.outcomes[*vertex].is_some())
    }

    /// Looks up what was done before. What was not stays ready.
    fn look_up(&mut self, job: &'a Job<'a>, needed: &[usize]) -> Result<()> {
        let mut used = Vec::new();
        for &vertex in needed.iter().filter(|vertex| job.is_looked_up(**vertex)) {
            if self.missing[vertex] > 0 {
                continue;
            }
            job.reporter.start(job.step(vertex));
            let inputs = self.inputs(job, vertex);
            let prepared = match job.prepare(vertex, &inputs) {
                // Somebody writes into the context; it is looked at again when it is needed.
                Err(error) if error.kind() == ErrorKind::Changed => continue,
                Err(error) => {
                    job.reporter.end(job.step(vertex), Ending::Failed(error.to_string()));
                    return Err(error.of_operation(job.graph.vertices[vertex].digest));
                }
                Ok(prepared) => prepared,
            };
            match job.found(vertex, &prepared)? {
                Some(outcome) => {
                    used.extend(outcome.result);
                    self.ready.retain(|ready| *ready != vertex);
                    let ending = if outcome.is_cached { Ending::Cached } else { Ending::Done };
                    job.reporter.end(job.step(vertex), ending);
                    self.done(vertex, outcome);
                }
                None => drop(self.prepared.insert(vertex, prepared)),
            }
        }
        Ok(job.store().note_steps_used(&used)?)
    }

    fn inputs(&self, job: &Job<'_>, vertex: usize) -> Vec<Value<'a>> {
        let inputs = job.graph.vertices[vertex].inputs.iter();
        let value = |(input, index): &(usize, u32)| {
            let values = self.outcomes[*input].as_ref().map(|outcome| &outcome.values);
            values.and_then(|values| values.get(*index as usize)).cloned()
        };
        // One that an operation does not give is nothing.
        inputs.map(|input| value(input).unwrap_or(Value::Tree(Tree::default()))).collect()
    }

    fn done(&mut self, vertex: usize, outcome: Outcome<'a>) {
        self.outcomes[vertex] = Some(outcome);
        for user in std::mem::take(&mut self.users[vertex]) {
            self.missing[user] -= 1;
            if self.missing[user] == 0 {
                self.ready.push_back(user);
            }
        }
    }
}

/// Does what is ready until everything is done, or something has failed.
fn work<'a>(job: &'a Job<'a>, board: &Mutex<Board<'a>>, changed: &Condvar) {
    let mut held = lock(board);
    loop {
        if held.failed.is_some() {
            return;
        }
        let Some(vertex) = held.ready.pop_front() else {
            if held.running == 0 {
                return;
            }
            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        held.running += 1;
        let (inputs, prepared) = (held.inputs(job, vertex), held.prepared.remove(&vertex));
        drop(held);
        let outcome = job.do_or_find(vertex, &inputs, prepared);
        held = lock(board);
        held.running -= 1;
        match outcome {
            Ok(outcome) => held.done(vertex, outcome),
            Err(error) => {
                // What fails because another one has is not what matters.
                if held.failed.as_ref().is_none_or(|first| first.kind() == ErrorKind::Canceled) {
                    held.failed = Some(error);
                }
                job.cancel();
            }
        }
        changed.notify_all();
    }
}

fn lock<'m, 'a>(board: &'m Mutex<Board<'a>>) -> MutexGuard<'m, Board<'a>> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

fn solved(job: &Job<'_>, board: &Board<'_>, needed: &[usize]) -> Result<Solved> {
    let tree = match job.graph.result {
        None => Tree::default(),
        Some((vertex, index)) => {
            let outcome = board.outcomes[vertex].as_ref();
            match outcome.and_then(|outcome| outcome.values.get(index as usize)) {
                Some(value) => job.tree(value)?,
                None => return Err(Error::invalid("the graph wants a result that its operation does not give")),
            }
        }
    };
    let mut created = job.brought.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for outcome in needed.iter().filter_map(|vertex| board.outcomes[*vertex].as_ref()) {
        if let (Some(at), Some(Value::Tree(tree))) = (outcome.created, outcome.values.first())
            && let Some(layer) = tree.layers.last()
        {
            created.entry(*layer).or_insert_with(|| MadeLayer { at, of: String::new() });
        }
    }
    Ok(Solved { tree, created })
}
