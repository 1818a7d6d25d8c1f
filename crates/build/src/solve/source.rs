//! What comes from outside into a graph: images, contexts, and what is at addresses.

use super::layer::Making;
use super::{Job, MadeLayer, Outcome, Value};
use crate::context::Local;
use crate::error::{Error, ErrorKind, Result};
use crate::files::Selection;
use crate::images;
use crate::inputs::{Inputs, Kind};
use crate::llb::Vertex;
use crate::llb::message::SourceOp;
use crate::llb::message::file::Copy;
use crate::scan::BUILT;
use crate::tree::Tree;

use store::Digest;

/// Whether it has to be asked for over the network, whatever was fetched before.
pub(super) fn is_fetched(source: &SourceOp) -> bool {
    ["http://", "https://", "git://"].iter().any(|scheme| source.identifier.starts_with(scheme))
}

impl<'a> Job<'a> {
    /// What comes from outside and is here; None for what has to be fetched.
    ///
    /// # Errors
    /// `NotFound` for an image or a context that is not there, `Invalid` for what nobody knows how to get.
    pub(super) fn source(&'a self, source: &SourceOp, vertex: &Vertex) -> Result<Option<Outcome<'a>>> {
        if is_fetched(source) {
            return Ok(None);
        }
        if let Some(name) = images::name_in(source) {
            let tree = self.images.tree(&name, vertex.operation.platform.as_ref())?;
            return Ok(Some(Outcome::of_tree(tree)));
        }
        if let Some(built) = self.built.filter(|_| source.identifier.starts_with(BUILT)) {
            return Ok(Some(Outcome::of_tree(built.clone())));
        }
        if let Some(name) = source.identifier.strip_prefix("local://") {
            let local = self.contexts.get(name).ok_or_else(|| {
                let error = Error::new(ErrorKind::NotFound, format!("there is no context {name:?}"));
                if name == "context" {
                    error.with_hint("the build has no files: name a directory instead of -")
                } else {
                    error.with_hint(format!("--build-context {name}=DIRECTORY"))
                }
            })?;
            let values = vec![Value::Local(local)];
            return Ok(Some(Outcome { values, created: None, result: None, is_cached: false }));
        }
        Err(Error::invalid(format!("nobody knows how to get {}", source.identifier)))
    }

    /// What is below a path of a context, as a tree in which it has the same path: commands see it, and nobody changes it
    /// meanwhile. And its sum.
    ///
    /// # Errors
    /// Those of the copy.
    pub(super) fn brought_in(&self, local: &Local, path: &str) -> Result<(Tree, Digest)> {
        let origin = local.origin();
        let path = format!("/{}", path.trim_matches('/'));
        let selection = Selection::tree(&path, &origin)?;
        let mut inputs = Inputs::default();
        inputs.add(Kind::Version, "", "1");
        inputs.add(Kind::Operation, "path", path.as_str());
        let sum = Digest::from_bytes(selection.digest(&origin)?);
        inputs.add(Kind::Taken, "context", sum.hex());
        let key = inputs.key();
        if let Some(found) = self.store().step_result(&key)? {
            return Ok((self.noted_as_brought(local, &Outcome::of_result(found)), sum));
        }
        let family = "the context, for commands";
        let (base, step) = (Tree::default(), None);
        let making = Making { step, key, base, kind: "source.local", family, inputs: &inputs, anew: false };
        let outcome = self.make(&making, |writer| {
            let onto = Tree::default().open_upon(self.store(), writer)?;
            let copy = Copy {
                src: path.clone(),
                dest: path.clone(),
                mode: -1,
                timestamp: -1,
                dir_copy_contents: true,
                create_dest_path: true,
                ..Copy::default()
            };
            selection.copy(&copy, &origin, &onto, None).map(drop)
        })?;
        Ok((self.noted_as_brought(local, &outcome), sum))
    }

    /// The tree of a context, of which is noted that its layer is not called as in images.
    fn noted_as_brought(&self, local: &Local, outcome: &Outcome<'_>) -> Tree {
        let Some(Value::Tree(tree)) = outcome.values.first() else { return Tree::default() };
        let mut brought = self.brought.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let made =
            MadeLayer { at: outcome.created.unwrap_or_default(), of: format!("local source for {}", local.name()) };
        brought.extend(tree.layers.last().map(|layer| (*layer, made)));
        tree.clone()
    }
}
