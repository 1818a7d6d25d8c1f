//! The engine: the store, and the programs it starts. Opening it is cheap; nothing is looked for until it is needed.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use image::Registries;
use store::{Paths, Store};

use crate::containers::lifecycle;
use crate::containers::supervisor::Supervisor;
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
    /// The registries file, if it is not where it is looked for.
    pub registries: Option<PathBuf>,
    /// The directory of docker's `config.json`, if it is not where docker looks for it.
    pub docker_config: Option<PathBuf>,
}

/// Everything that can be done with containers and images. Any number of engines work on one store at once.
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) options: Options,
    /// Read when a registry, or a short name that is not in the store, comes up.
    pub(crate) registries: OnceLock<Registries>,
    /// A supervisor that is started ahead.
    pub(crate) supervisor: Mutex<Supervisor>,
}

impl Engine {
    /// Opens the store, which is made if it is not there.
    ///
    /// # Errors
    /// `Store` when it cannot be opened.
    pub fn open(options: Options) -> Result<Engine> {
        Engine::with(options, Supervisor::Later)
    }

    /// The same for somebody who is about to start a container: its supervisor is started meanwhile.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_to_start(options: Options) -> Result<Engine> {
        let supervisor = Supervisor::begin(&options);
        Engine::with(options, supervisor)
    }

    fn with(options: Options, supervisor: Supervisor) -> Result<Engine> {
        let store = Store::open(&options.paths)?.with_end(lifecycle::end_noted);
        Ok(Engine { store, options, registries: OnceLock::new(), supervisor: Mutex::new(supervisor) })
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
