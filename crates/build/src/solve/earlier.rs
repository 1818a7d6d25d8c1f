//! What is told apart for explanations only: images below a step, and what files of a context were before.

use std::path::Path;

use fsroot::{Follow, Root};
use store::{Digest, StepResult};

use super::{Job, Value};
use crate::context::Local;
use crate::explain::first_difference;
use crate::files::{MOST_COMPARED, earlier};
use crate::images;
use crate::inputs::{Input, Kind};
use crate::llb::Vertex;
use crate::llb::message::Kind as Operation;

impl Job<'_> {
    /// The images that an operation is made of: the one below everything that it is done upon, and those that it takes something of.
    pub(super) fn images_of(&self, number: usize) -> Vec<Input> {
        let vertices = &self.graph.vertices;
        let mut below = base_of(&vertices[number]);
        while let Some(base) = below.filter(|base| image_of(&vertices[*base]).is_none()) {
            below = base_of(&vertices[base]);
        }
        let taken = vertices[number].inputs.iter().map(|(input, _)| *input);
        let mut images: Vec<Input> = below.into_iter().chain(taken).filter_map(|input| self.image(input)).collect();
        images.sort_by(|one, other| one.name.cmp(&other.name));
        images.dedup();
        images
    }

    fn image(&self, number: usize) -> Option<Input> {
        let vertex = &self.graph.vertices[number];
        let reference = image_of(vertex)?;
        let digest = self.images.digest(&reference, vertex.operation.platform.as_ref())?;
        Some(Input::new(Kind::Image, reference, digest.to_string()))
    }

    /// How a file of these contexts differs from what it was when its sum was that one, as a part of a sentence. None if that is not
    /// known: the copy may be gone, or be no text.
    pub(super) fn difference_of(
        &self,
        previous: &StepResult,
        from: &[&Local],
        path: &str,
        sum: &str,
    ) -> Option<String> {
        let (root, now) = from.iter().find_map(|local| {
            let root = local.origin().root;
            Some((root, root.metadata(path, Follow::No).ok().filter(fsroot::Metadata::is_file)?))
        })?;
        let is_it = |found| Digest::from_bytes(found).short() == sum;
        let before = previous.own.iter().find_map(|layer| {
            let made = Root::open(self.store().layer_dir(layer)).ok()?;
            earlier(&made, path.as_bytes(), now.mode, is_it).ok()?
        })?;
        let content = root.read_regular(Path::new(path), MOST_COMPARED).ok()?;
        if before.content == content {
            return (before.mode != now.mode).then(|| format!("its mode was {:o} and is {:o}", before.mode, now.mode));
        }
        first_difference(&before.content, &content)
    }
}

/// The directories among these values.
pub(super) fn locals<'a>(values: &[Value<'a>]) -> Vec<&'a Local> {
    let local = |value: &Value<'a>| if let Value::Local(local) = value { Some(*local) } else { None };
    values.iter().filter_map(local).collect()
}

/// What an operation is done upon.
fn base_of(vertex: &Vertex) -> Option<usize> {
    let input = match vertex.operation.op.as_ref()? {
        Operation::Exec(exec) => exec.mounts.iter().find(|mount| mount.dest == "/")?.input,
        Operation::File(file) => file.actions.first()?.input,
        Operation::Merge(merge) => merge.inputs.first()?.input,
        _ => return None,
    };
    let input = usize::try_from(input).ok()?;
    vertex.inputs.get(input).map(|(vertex, _)| *vertex)
}

fn image_of(vertex: &Vertex) -> Option<String> {
    match vertex.operation.op.as_ref()? {
        Operation::Source(source) => images::name_in(source),
        _ => None,
    }
}
