//! What a step is made of, as it is the same on all hosts.

use engine::Engine;
use store::Digest;

use super::Notes;
use crate::error::Result;
use crate::export::layers;
use crate::inputs::{Inputs, Kind};
use crate::tree::Tree;

/// What the tree is called among the inputs that says who users are.
pub(crate) const OWNER: &str = "owner";

/// What a step is made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recipe {
    /// The sum of all that is not a tree by its name.
    rest: Sum,
    /// The trees.
    trees: Vec<Tree>,
    /// What it is made upon.
    pub(crate) base: Tree,
}

/// A digest, or that of nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sum(Digest);

impl Default for Sum {
    fn default() -> Sum {
        Sum(Digest::of(b""))
    }
}

impl Recipe {
    /// Of these inputs, among which the trees are.
    pub(crate) fn of(inputs: &Inputs, base: Tree, trees: Vec<Tree>) -> Recipe {
        let is_tree = |kind: Kind, name: &str| kind == Kind::Base || (kind == Kind::Taken && name == OWNER);
        let rest = inputs.0.iter().filter(|input| !is_tree(input.kind, &input.name)).cloned().collect();
        Recipe { rest: Sum(Inputs(rest).key()), trees, base }
    }

    /// What it is found by on all hosts.
    ///
    /// # Errors
    /// Those of reading layers whose digests nobody has asked for yet.
    pub(crate) fn key(&self, engine: &Engine, notes: &Notes) -> Result<Digest> {
        let mut trees = Vec::new();
        for tree in &self.trees {
            let layers = tree.layers.iter().map(|layer| digest_of(engine, notes, layer));
            trees.push(layers.collect::<Result<Vec<_>>>()?);
        }
        Ok(key(&self.rest.0, &trees))
    }
}

/// The digest of a layer's archive.
///
/// # Errors
/// Those of reading it.
pub(super) fn digest_of(engine: &Engine, notes: &Notes, layer: &Digest) -> Result<Digest> {
    if !notes.is_made(layer) {
        return Ok(*layer);
    }
    match engine.store().written_digest(layer)? {
        Some(known) => Ok(known),
        None => Ok(layers::summed(engine, layer)?.0),
    }
}

fn key(rest: &Digest, trees: &[Vec<Digest>]) -> Digest {
    let trees = trees.iter().map(|tree| tree.iter().map(Digest::hex).collect::<Vec<_>>().join(","));
    Digest::of(format!("phial build 1\n{}\n{}", rest.hex(), trees.collect::<Vec<_>>().join(";")).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_trees_do_not_count_and_all_else_does() {
        let inputs = |base: &str, variable: &str| {
            let mut inputs = Inputs::default();
            inputs.add(Kind::Base, "", base);
            inputs.add(Kind::Taken, OWNER, base);
            inputs.add(Kind::Variable, "A", variable);
            Recipe::of(&inputs, Tree::default(), Vec::new()).rest
        };
        assert_eq!(inputs("one", "x"), inputs("two", "x"));
        assert_ne!(inputs("one", "x"), inputs("one", "y"));
        let [a, b] = [b"a", b"b"].map(|text| Digest::of(text));
        let keys = [key(&a, &[vec![a], vec![b]]), key(&a, &[vec![a, b]]), key(&a, &[]), key(&b, &[vec![a, b]])];
        assert!(keys.iter().enumerate().all(|(number, one)| !keys[..number].contains(one)), "{keys:?}");
    }
}
