//! Changes of files: each copy, file, directory and link of an operation, one after another, into one layer.

use fsroot::Root;
use store::LayerWriter;

use super::prepare::{Prepared, Work, nth};
use super::{Job, Outcome, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, Origin, Reading, Selection};
use crate::llb::message::Kind as Operation;
use crate::llb::message::file::{Action, Chown, FileOp, Owner, OwnerKind};
use crate::tree::Tree;

impl<'a> Job<'a> {
    /// Changes files.
    ///
    /// # Errors
    /// Those of the changes; `Changed` for a context that does not stand still.
    pub(super) fn change_files(
        &'a self,
        number: usize,
        inputs: &[Value<'a>],
        prepared: &Prepared<'a>,
    ) -> Result<Outcome<'a>> {
        let vertex = &self.graph.vertices[number];
        let (Some(Operation::File(file)), Work::Files(selections)) = (&vertex.operation.op, &prepared.work) else {
            return Err(Error::invalid("an operation changes no files"));
        };
        refuse_several_results(file)?;
        let base = match nth(inputs, file.actions.first().map_or(-1, |action| action.input)) {
            Some(value) => self.tree(value)?,
            None => Tree::default(),
        };
        let making = self.making(number, prepared, &base);
        self.make(&making, |writer| self.write(file, selections, inputs, &base, writer))
    }

    fn write(
        &self,
        file: &FileOp,
        selections: &[Option<Selection>],
        inputs: &[Value<'a>],
        base: &Tree,
        writer: &LayerWriter,
    ) -> Result<()> {
        let onto = base.open_upon(self.store(), writer)?;
        for (action, selection) in file.actions.iter().zip(selections) {
            if self.is_canceled() {
                return Err(Self::canceled());
            }
            let owner = |chown: &Option<Chown>| self.owner(chown.as_ref(), inputs);
            // Who works in a directory need not be known in the image; whose files are copied does.
            let worker = |chown: &Option<Chown>| {
                owner(chown).or_else(|error| match error.kind() {
                    ErrorKind::NotFound => Ok(Some((0, 0))),
                    _ => Err(error),
                })
            };
            match &action.action {
                Some(Action::Copy(copy)) => {
                    let owner = owner(&copy.owner)?;
                    let from = nth(inputs, action.secondary_input);
                    match (from, selection) {
                        (Some(Value::Local(local)), Some(selection)) => {
                            selection.copy(copy, &local.origin(), &onto, owner)?;
                        }
                        (Some(Value::Tree(tree)), _) => {
                            let root = self.opened(tree)?;
                            let origin = of_stage(&root);
                            Selection::of(copy, &origin)?.copy(copy, &origin, &onto, owner)?;
                        }
                        _ => return Err(Error::invalid("nothing can be copied of nothing")),
                    }
                }
                Some(Action::MakeFile(file)) => files::make_file(file, &onto, owner(&file.owner)?)?,
                Some(Action::MakeDirectory(directory)) => {
                    files::make_directory(directory, &onto, worker(&directory.owner)?)?;
                }
                Some(Action::Symlink(link)) => files::symlink(link, &onto, owner(&link.owner)?)?,
                Some(Action::Remove(remove)) => files::remove(remove, &onto)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Whose something is to be: names are looked up in the files of the input that is named with them.
    fn owner(&self, chown: Option<&Chown>, inputs: &[Value<'a>]) -> Result<Option<(u32, u32)>> {
        let Some(chown) = chown else { return Ok(None) };
        let text = |owner: &Option<Owner>| match owner.as_ref().and_then(|owner| owner.user.as_ref()) {
            Some(OwnerKind::Name(name)) => (Some(name.name.clone()), name.input),
            Some(OwnerKind::Number(number)) => (Some(number.to_string()), -1),
            None => (None, -1),
        };
        let ((user, in_user), (group, in_group)) = (text(&chown.user), text(&chown.group));
        let layers = match nth(inputs, in_user.max(in_group)) {
            Some(value) => self.tree(value)?.directories(self.store()),
            None => Vec::new(),
        };
        Ok(Some(engine::owner_in(&layers, user.as_deref().unwrap_or("0"), group.as_deref())?))
    }

    fn opened(&self, tree: &Tree) -> Result<Root> {
        tree.open(self.store())?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "nothing can be copied of an empty stage"))
    }
}

/// The changes of an operation are a chain, of which only the last one is kept: so is what front ends make.
fn refuse_several_results(file: &FileOp) -> Result<()> {
    let kept = file.actions.iter().filter(|action| action.output >= 0).count();
    match file.actions.last() {
        Some(last) if last.output == 0 && kept == 1 => Ok(()),
        _ => Err(Error::invalid("changes of files with several results cannot be built")),
    }
}

/// A stage or an image, as something that files are taken from.
pub(super) fn of_stage(root: &Root) -> Origin<'_> {
    Origin { root, ignored: None, belongs_to_root: false, sums: &Reading }
}
