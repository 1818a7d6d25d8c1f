//! Keys: what an operation is made of, before anything is done. Looks at files and reads them; a context that has to be a tree
//! is brought into one, and nothing else is made.

use store::{Digest, StepResult};

use super::earlier::locals;
use super::{Job, Outcome, Value, name_of};
use crate::error::{Error, ErrorKind, Result};
use crate::explain;
use crate::files::{Origin, Reading, Selection};
use crate::inputs::{Input, Inputs, Kind};
use crate::llb::Vertex;
use crate::llb::message::exec::{ExecOp, Mount, MountType};
use crate::llb::message::file::{Action, Copy, FileAction, FileOp, OwnerKind};
use crate::llb::message::{DiffOp, Kind as Operation, MergeOp};
use crate::progress::{Ending, Event};
use crate::remote::{OWNER, Recipe, Wanted};
use crate::tree::Tree;

use prost::Message;

/// How often a context may change while it is copied.
const TRIES: usize = 6;
/// Of what the keys are made: another number makes everything anew.
const VERSION: &str = "1";

/// An operation, before it is done.
pub(super) struct Prepared<'a> {
    /// What it is made of.
    pub(super) inputs: Inputs,
    /// What it is found by.
    pub(super) key: Digest,
    /// What it is found by on other hosts.
    pub(super) recipe: Recipe,
    pub(super) work: Work<'a>,
}

/// What is to be done.
pub(super) enum Work<'a> {
    /// Nothing: what it comes to is known.
    Nothing(Outcome<'a>),
    /// Files are changed; of each change that copies, what it takes.
    Files(Vec<Option<Selection>>),
    /// A command is run.
    Command,
    /// Something is fetched.
    Fetch,
}

impl<'a> Job<'a> {
    /// Whether an operation can be looked up without waiting for the network.
    pub(super) fn is_looked_up(&self, vertex: usize) -> bool {
        match &self.graph.vertices[vertex].operation.op {
            Some(Operation::Source(source)) => !super::source::is_fetched(source),
            _ => true,
        }
    }

    /// Finds out what an operation is made of. `inputs` are what it uses.
    ///
    /// # Errors
    /// For operations that make no sense, and files that are not there.
    pub(super) fn prepare(&'a self, vertex: usize, inputs: &[Value<'a>]) -> Result<Prepared<'a>> {
        let vertex = &self.graph.vertices[vertex];
        let given = |outcome| {
            let (inputs, recipe) = (Inputs::default(), Recipe::default());
            Ok(Prepared { inputs, key: Digest::of(b""), recipe, work: Work::Nothing(outcome) })
        };
        match &vertex.operation.op {
            Some(Operation::Source(source)) => match self.source(source, vertex)? {
                Some(outcome) => given(outcome),
                None => Ok(Prepared {
                    inputs: Inputs::default(),
                    key: Digest::of(vertex.digest.as_bytes()),
                    recipe: Recipe::default(),
                    work: Work::Fetch,
                }),
            },
            Some(Operation::Merge(merge)) => given(Outcome::of_tree(self.merged(merge, inputs)?)),
            Some(Operation::Diff(diff)) => given(Outcome::of_tree(self.difference(diff, inputs)?)),
            Some(Operation::Exec(exec)) => self.prepare_command(vertex, exec, inputs),
            Some(Operation::File(file)) => self.prepare_files(vertex, file, inputs),
            Some(Operation::Passthrough(through)) => {
                let value = |number: &i64| usize::try_from(*number).ok().and_then(|number| inputs.get(number)).cloned();
                let values: Option<Vec<_>> = through.outputs.iter().map(value).collect();
                let values = values.ok_or_else(|| Error::invalid("an operation hands on what it does not have"))?;
                given(Outcome { values, created: None, result: None, is_cached: false })
            }
            Some(Operation::Build(_)) => Err(Error::invalid("a graph within a graph cannot be built")),
            None => Err(Error::invalid("an operation does nothing")),
        }
    }

    /// What was made by an operation of the same key, if it may be used.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn found(&self, vertex: usize, prepared: &Prepared<'a>) -> Result<Option<Outcome<'a>>> {
        if let Work::Nothing(outcome) = &prepared.work {
            return Ok(Some(outcome.clone()));
        }
        if self.graph.vertices[vertex].metadata.ignore_cache || matches!(prepared.work, Work::Fetch) {
            return Ok(None);
        }
        let found = match self.store().step_result(&prepared.key)? {
            None => self.imported(vertex, prepared)?,
            found => found,
        };
        if let Some(found) = &found {
            self.notes.made(found);
            self.notes.step(&prepared.recipe, found.id);
        }
        if found.is_some() && self.explains {
            let lines = vec!["cached: nothing that it is made of has changed".to_owned()];
            self.reporter.tell(Event::Explained { step: self.step(vertex), lines });
        }
        Ok(found.map(Outcome::of_result))
    }

    /// Does an operation, or takes what was made of it meanwhile.
    ///
    /// # Errors
    /// Those of what is done.
    pub(super) fn do_or_find(
        &'a self,
        vertex: usize,
        inputs: &[Value<'a>],
        prepared: Option<Prepared<'a>>,
    ) -> Result<Outcome<'a>> {
        let step = self.step(vertex);
        if prepared.is_none() {
            self.reporter.start(step);
        }
        let done = self
            .do_prepared(vertex, inputs, prepared)
            .map_err(|error| error.of_operation(self.graph.vertices[vertex].digest));
        let ending = match &done {
            Ok(outcome) if outcome.is_cached => Ending::Cached,
            Ok(_) => Ending::Done,
            Err(error) if error.kind() == crate::ErrorKind::Canceled => Ending::Canceled,
            Err(error) => Ending::Failed(error.to_string()),
        };
        self.reporter.end(step, ending);
        done
    }

    fn do_prepared(
        &'a self,
        vertex: usize,
        inputs: &[Value<'a>],
        mut prepared: Option<Prepared<'a>>,
    ) -> Result<Outcome<'a>> {
        // Somebody may write into the context: then what is to be copied is not what was found any more.
        let is_of_context = inputs.iter().any(|value| matches!(value, Value::Local(_)));
        let mut tries = if is_of_context { TRIES } else { 1 };
        loop {
            tries -= 1;
            match self.attempt(vertex, inputs, prepared.take()) {
                Err(error) if error.kind() == ErrorKind::Changed && tries > 0 => {}
                Err(error) if error.kind() == ErrorKind::Changed && is_of_context => {
                    return Err(error.with_hint(
                        "build when nothing writes into the context, or leave the file out in .dockerignore",
                    ));
                }
                other => return other,
            }
        }
    }

    fn attempt(&'a self, vertex: usize, inputs: &[Value<'a>], prepared: Option<Prepared<'a>>) -> Result<Outcome<'a>> {
        let prepared = match prepared {
            Some(prepared) => prepared,
            None => self.prepare(vertex, inputs)?,
        };
        if let Some(found) = self.found(vertex, &prepared)? {
            self.store().note_steps_used(found.result.as_slice())?;
            return Ok(found);
        }
        let prepared = self.with_details(vertex, inputs, prepared)?;
        let recipe = prepared.recipe.clone();
        let outcome = self.done(vertex, inputs, &prepared)?;
        outcome.result.into_iter().for_each(|result| self.notes.step(&recipe, result));
        Ok(outcome)
    }

    /// What other hosts have left for those that want the same, if anything is known of that.
    fn imported(&self, vertex: usize, prepared: &Prepared<'a>) -> Result<Option<StepResult>> {
        if self.imported.is_empty() {
            return Ok(None);
        }
        let key = prepared.recipe.key(self.engine, self.notes)?;
        let wanted = Wanted {
            key: &prepared.key,
            base: &prepared.recipe.base,
            family: explain::family(name_of(&self.graph.vertices[vertex])),
            inputs: &prepared.inputs,
        };
        Ok(self.imported.bring(self.engine, self.lease, self.reporter, &key, &wanted))
    }

    fn done(&'a self, vertex: usize, inputs: &[Value<'a>], prepared: &Prepared<'a>) -> Result<Outcome<'a>> {
        match &prepared.work {
            Work::Nothing(outcome) => Ok(outcome.clone()),
            Work::Files(_) => self.change_files(vertex, inputs, prepared),
            Work::Command => self.run(vertex, inputs, prepared),
            Work::Fetch => self.fetch(vertex),
        }
    }

    /// Adds what is no part of the key, but is kept for explanations; and explains.
    fn with_details(&self, vertex: usize, inputs: &[Value<'a>], mut prepared: Prepared<'a>) -> Result<Prepared<'a>> {
        let mut taken = Vec::new();
        match (&prepared.work, &self.graph.vertices[vertex].operation.op) {
            (Work::Files(selections), Some(Operation::File(file))) => {
                for (action, selection) in file.actions.iter().zip(selections) {
                    if let (Some(selection), Some(Value::Local(local))) =
                        (selection, nth(inputs, action.secondary_input))
                    {
                        taken.extend(selection.inputs(&local.origin())?);
                    }
                }
            }
            (Work::Command, Some(Operation::Exec(exec))) => {
                for mount in exec.mounts.iter().filter(|mount| mount.mount_type() == MountType::Bind) {
                    if let Some(Value::Local(local)) = nth(inputs, mount.input) {
                        let origin = local.origin();
                        taken.extend(Selection::tree(&mount.selector, &origin)?.inputs(&origin)?);
                    }
                }
            }
            _ => {}
        }
        let file = |(path, sum)| Input::new(Kind::File, path, Digest::from_bytes(sum).short());
        prepared.inputs.0.extend(taken.into_iter().map(file));
        prepared.inputs.0.extend(self.images_of(vertex));
        if self.explains {
            let name = name_of(&self.graph.vertices[vertex]);
            let previous = self.store().last_step_called(explain::family(name))?;
            let is_ignored = self.graph.vertices[vertex].metadata.ignore_cache;
            let contexts = locals(inputs);
            let detail = |path: &str, sum: &str| self.difference_of(previous.as_ref()?, &contexts, path, sum);
            let lines = explain::why(previous.as_ref(), &prepared.inputs, is_ignored, &detail);
            self.reporter.tell(Event::Explained { step: self.step(vertex), lines });
        }
        Ok(prepared)
    }

    fn prepare_command(&'a self, vertex: &Vertex, exec: &ExecOp, values: &[Value<'a>]) -> Result<Prepared<'a>> {
        let (mut inputs, mut trees) = (Inputs::default(), Vec::new());
        inputs.add(Kind::Version, "", VERSION);
        let meta = exec.meta.clone().unwrap_or_default();
        inputs.add(Kind::Operation, "", meta.args.join("\0"));
        for variable in &meta.env {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            inputs.add(Kind::Variable, name, value);
        }
        inputs.add(Kind::Operation, "rest", sum_of_command(vertex, exec).hex());
        for mount in &exec.mounts {
            let Some(value) = nth(values, mount.input) else { continue };
            if mount.dest == "/" {
                let tree = self.tree(value)?;
                inputs.add(Kind::Base, "", tree.id().hex());
                trees.push(tree);
            } else if mount.mount_type() == MountType::Cache {
                // What a directory begins with decides nothing once it is there.
            } else {
                inputs.add(Kind::Taken, &mount.dest, self.sum_of_part(value, &mount.selector)?.hex());
            }
        }
        let recipe = Recipe::of(&inputs, trees.first().cloned().unwrap_or_default(), trees);
        Ok(Prepared { key: inputs.key(), inputs, recipe, work: Work::Command })
    }

    fn prepare_files(&'a self, vertex: &Vertex, file: &FileOp, values: &[Value<'a>]) -> Result<Prepared<'a>> {
        let (mut inputs, mut trees) = (Inputs::default(), Vec::new());
        inputs.add(Kind::Version, "", VERSION);
        inputs.add(Kind::Operation, "rest", Digest::of(&file.encode_to_vec()).hex());
        let mut selections = Vec::new();
        for action in &file.actions {
            if let Some(base) = nth(values, action.input) {
                let tree = self.tree(base)?;
                inputs.add(Kind::Base, "", tree.id().hex());
                trees.push(tree);
            }
            for owner in owners(action) {
                if let Some(input) = nth(values, owner) {
                    let tree = self.tree(input)?;
                    inputs.add(Kind::Taken, OWNER, tree.id().hex());
                    trees.push(tree);
                }
            }
            let selection = match (&action.action, nth(values, action.secondary_input)) {
                (Some(Action::Copy(copy)), Some(from)) => {
                    let (sum, selection) = self.selected(copy, from)?;
                    let name = if matches!(from, Value::Local(_)) { "context" } else { copy.src.as_str() };
                    inputs.add(Kind::Taken, name, sum.hex());
                    selection
                }
                _ => None,
            };
            selections.push(selection);
        }
        let key = inputs.key();
        let base = nth(values, file.actions.first().map_or(-1, |action| action.input))
            .map(|value| self.tree(value))
            .transpose()?;
        let recipe = Recipe::of(&inputs, base.unwrap_or_default(), trees);
        // What it is called is for explanations only.
        inputs.add(Kind::Operation, "", explain::family(name_of(vertex)));
        Ok(Prepared { key, inputs, recipe, work: Work::Files(selections) })
    }

    /// The sum of what a copy takes, and, where that had to be looked at, what that is.
    fn selected(&self, copy: &Copy, from: &Value<'a>) -> Result<(Digest, Option<Selection>)> {
        match from {
            Value::Local(local) => {
                let origin = local.origin();
                let selection = Selection::of(copy, &origin).map_err(|error| local.hinted(error, &copy.src))?;
                Ok((Digest::from_bytes(selection.digest(&origin)?), Some(selection)))
            }
            Value::Tree(tree) => {
                let what = Copy { dest: String::new(), owner: None, mode: 0, mode_str: String::new(), ..copy.clone() };
                let part = Digest::of(&what.encode_to_vec());
                let sum = self.noted_sum(tree, &part, |origin| Selection::of(copy, origin)?.digest(origin))?;
                Ok((sum, None))
            }
        }
    }

    /// The sum of all that is below a path.
    fn sum_of_part(&self, value: &Value<'a>, path: &str) -> Result<Digest> {
        match value {
            Value::Local(local) => {
                let origin = local.origin();
                Ok(Digest::from_bytes(Selection::tree(path, &origin)?.digest(&origin)?))
            }
            Value::Tree(tree) => {
                let part = Digest::of(format!("all below {path}").as_bytes());
                self.noted_sum(tree, &part, |origin| Selection::tree(path, origin)?.digest(origin))
            }
        }
    }

    fn noted_sum(
        &self,
        tree: &Tree,
        part: &Digest,
        read: impl FnOnce(&Origin<'_>) -> Result<[u8; 32]>,
    ) -> Result<Digest> {
        let id = tree.id();
        if let Some(sum) = self.store().tree_sum(&id, part)? {
            return Ok(sum);
        }
        let Some(root) = tree.open(self.store())? else {
            return Err(Error::new(crate::ErrorKind::NotFound, "nothing can be taken of what is empty"));
        };
        let origin = Origin { root: &root, ignored: None, belongs_to_root: false, sums: &Reading };
        let sum = Digest::from_bytes(read(&origin)?);
        self.store().note_tree_sum(&id, part, &sum)?;
        Ok(sum)
    }

    /// Trees upon each other.
    fn merged(&self, merge: &MergeOp, inputs: &[Value<'_>]) -> Result<Tree> {
        let mut tree = Tree::default();
        for input in &merge.inputs {
            let input = usize::try_from(input.input).ok().and_then(|number| inputs.get(number));
            tree.layers.extend(input.map(|value| self.tree(value)).transpose()?.unwrap_or_default().layers);
        }
        Ok(tree)
    }

    /// What one tree has more than the one it was made upon.
    fn difference(&self, diff: &DiffOp, inputs: &[Value<'_>]) -> Result<Tree> {
        let tree = |number: &Option<crate::llb::message::InputNumber>| {
            let number = number.as_ref().and_then(|number| usize::try_from(number.input).ok());
            number
                .and_then(|number| inputs.get(number))
                .map(|value| self.tree(value))
                .transpose()
                .map(Option::unwrap_or_default)
        };
        let (lower, upper) = (tree(&diff.lower)?, tree(&diff.upper)?);
        match upper.layers.strip_prefix(lower.layers.as_slice()) {
            Some(more) => Ok(Tree { layers: more.to_vec() }),
            None => Err(Error::invalid("the difference of two trees of which neither was made upon the other")),
        }
    }
}

/// The input of this number; None for nothing, and for what is no input but the result of an earlier change of files.
pub(super) fn nth<'v, 'a>(values: &'v [Value<'a>], number: i64) -> Option<&'v Value<'a>> {
    usize::try_from(number).ok().and_then(|number| values.get(number))
}

/// The inputs that say who users are.
fn owners(action: &FileAction) -> Vec<i64> {
    let owner = match &action.action {
        Some(Action::Copy(copy)) => copy.owner.as_ref(),
        Some(Action::MakeFile(file)) => file.owner.as_ref(),
        Some(Action::MakeDirectory(directory)) => directory.owner.as_ref(),
        Some(Action::Symlink(link)) => link.owner.as_ref(),
        Some(Action::Remove(_)) | None => None,
    };
    let both = owner.map(|owner| [owner.user.as_ref(), owner.group.as_ref()]).unwrap_or_default();
    let input = |owner: &crate::llb::message::file::Owner| match &owner.user {
        Some(OwnerKind::Name(name)) => Some(name.input),
        _ => None,
    };
    both.into_iter().flatten().filter_map(input).collect()
}

/// The sum of what a command says that is not told apart further: neither what it is given besides its key, as limits, nor
/// where others are reached, nor what its mounts are called where they come from.
fn sum_of_command(vertex: &Vertex, exec: &ExecOp) -> Digest {
    let mut exec = exec.clone();
    if let Some(meta) = &mut exec.meta {
        (meta.args, meta.env, meta.proxy_env) = (Vec::new(), Vec::new(), None);
        meta.extra_hosts.iter_mut().for_each(|host| host.ip.clear());
        meta.cgroup_parent.clear();
        meta.ulimit.clear();
    }
    let is_known_by_content = |mount: &Mount| mount.input >= 0 && mount.dest != "/";
    for mount in exec.mounts.iter_mut().filter(|mount| is_known_by_content(mount)) {
        mount.selector.clear();
        mount.input = 0;
    }
    let mut bytes = exec.encode_to_vec();
    bytes.extend(vertex.operation.platform.clone().unwrap_or_default().encode_to_vec());
    Digest::of(&bytes)
}
