//! The engine: the store, and the programs it starts. Opening it is cheap; nothing is looked for until it is needed.

use store::{Paths, Store};

use crate::error::Result;

/// What an engine works with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything lies.
    pub paths: Paths,
    /// The program `phial-runtime`, which supervises containers.
    pub runtime_program: &'static [u8],
    /// What tells that program from one of another build.
    pub runtime_build: &'static str,
    /// The program of the built-in `hello` image.
    pub hello_program: &'static [u8],
    /// Where `phial` is, whose `system sync` makes images durable in the background. None: somebody else sees to it.
    pub program: Option<&'static str>,
}

/// Everything that can be done with containers and images. Any number of engines work on one store at once.
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) options: Options,
}

impl Engine {
    /// Opens the store, which is made if it is not there.
    ///
    /// # Errors
    /// `Store` when it cannot be opened.
    pub fn open(options: Options) -> Result<Engine> {
        Ok(Engine { store: Store::open(&options.paths)?, options })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where everything lies.
    pub fn paths(&self) -> &Paths {
        &self.options.paths
    }
}
