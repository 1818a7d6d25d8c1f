//! Solves a graph: finds which of its operations were done before, does the others, and says what the result is made of.
//!
//! An operation has a key, which is computed from what it says and from what it works on: the trees below it, which are what
//! their layers are, and the contents of what it copies. What was made by an operation of the same key is taken from the
//! store; everything else is done, several at once, each on the layers below it and into a layer of its own. Two builds that
//! want the same at once share it: one makes it, and the other waits.

/// Which operations can be done now, and by whom.
mod board;
/// Directories that are kept between builds.
mod cache_mount;
/// What things were before, for explanations.
mod earlier;
/// Commands.
mod exec;
/// What is fetched over the network.
mod fetch;
/// Changes of files.
mod file;
/// From an operation to a layer of its own.
mod layer;
/// Keys, before anything is done.
mod prepare;
/// A shell where a command has failed.
mod shell;
/// What comes from outside.
mod source;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use engine::Engine;
use engine::session::Leash;
use store::{Digest, Lease, Store};

use crate::context::Local;
use crate::error::Result;
use crate::images::Resolver;
use crate::llb::{Graph, Vertex};
use crate::progress::StepId;
use crate::remote::{Imported, Notes};
use crate::report::Reporter;
use crate::surroundings::Grants;
use crate::tree::Tree;

pub(crate) use board::solve;
pub(crate) use cache_mount::LABEL as CACHE_LABEL;

/// A graph, and all that is needed to solve it.
pub(crate) struct Job<'a> {
    pub(crate) engine: &'a Engine,
    /// Held until the result is somebody's.
    pub(crate) lease: &'a Lease,
    pub(crate) graph: &'a Graph,
    pub(crate) reporter: &'a Reporter<'a>,
    pub(crate) images: &'a Resolver<'a>,
    /// What was built before, of which something is said now.
    pub(crate) built: Option<&'a Tree>,
    /// Directories that files are taken from, by name.
    pub(crate) contexts: &'a BTreeMap<String, Local>,
    /// What commands may have.
    pub(crate) grants: &'a Grants,
    /// What other hosts have left.
    pub(crate) imported: &'a Imported,
    /// What is noted of what is done.
    pub(crate) notes: &'a Notes,
    /// Whether it is said why steps are done anew.
    pub(crate) explains: bool,
    /// Layers of contexts that were brought in, and when.
    pub(crate) brought: Mutex<BTreeMap<Digest, MadeLayer>>,
    /// Held by who has the terminal.
    pub(crate) terminal: Mutex<()>,
    /// What ends commands that run, if another one fails.
    pub(crate) leashes: Mutex<BTreeMap<StepId, Leash>>,
    /// Whether nothing new is begun.
    pub(crate) is_canceled: AtomicBool,
}

/// A result of an operation.
#[derive(Clone)]
pub(crate) enum Value<'a> {
    /// A tree in the store.
    Tree(Tree),
    /// A directory that nothing of was taken yet.
    Local(&'a Local),
}

/// What an operation has come to.
#[derive(Clone)]
pub(crate) struct Outcome<'a> {
    /// Its results.
    pub(crate) values: Vec<Value<'a>>,
    /// When they were made, in seconds since 1970; not known of what comes from outside.
    pub(crate) created: Option<u64>,
    /// The number of what the store has of it.
    pub(crate) result: Option<i64>,
    /// Whether it was done before.
    pub(crate) is_cached: bool,
}

impl<'a> Outcome<'a> {
    /// A tree for which nothing had to be done.
    fn of_tree(tree: Tree) -> Outcome<'a> {
        Outcome { values: vec![Value::Tree(tree)], created: None, result: None, is_cached: true }
    }
}

/// How a layer came to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct MadeLayer {
    /// When, in seconds since 1970.
    pub(crate) at: u64,
    /// Of what, if no instruction says it.
    pub(crate) of: String,
}

/// What a graph has come to.
pub(crate) struct Solved {
    /// The files.
    pub(crate) tree: Tree,
    /// When the layers were made that operations have made: seconds since 1970.
    pub(crate) created: BTreeMap<Digest, MadeLayer>,
}

impl Job<'_> {
    fn store(&self) -> &Store {
        self.engine.store()
    }

    /// The tree of a value. Files of a context are brought into one, all of them.
    fn tree(&self, value: &Value<'_>) -> Result<Tree> {
        match value {
            Value::Tree(tree) => Ok(tree.clone()),
            Value::Local(local) => self.brought_in(local, "/").map(|(tree, _)| tree),
        }
    }

    fn step(&self, vertex: usize) -> StepId {
        self.reporter.step_of(&self.graph.vertices[vertex].digest)
    }
}

/// What an operation is called for people.
pub(crate) fn name_of(vertex: &Vertex) -> &str {
    vertex.metadata.description.get(crate::llb::NAME).map_or("an operation", String::as_str)
}
