//! What every command starts from: where things lie, and the engine.

use std::path::PathBuf;

use engine::{Engine, Options};
use store::Paths;

use crate::embedded;
use crate::failure::{Cannot, Failure, Result};

/// The options before the command.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// `--root`.
    pub(crate) root: Option<PathBuf>,
    /// `--run`.
    pub(crate) run: Option<PathBuf>,
    /// `--registries`.
    pub(crate) registries: Option<PathBuf>,
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
}

impl Context {
    /// Where things lie: the options, else the environment, else the defaults.
    ///
    /// # Errors
    /// For paths that the store does not take.
    pub(crate) fn paths(&self) -> Result<Paths> {
        Paths::choose(self.root.as_deref(), self.run.as_deref())
            .map_err(|error| Failure::new(format!("cannot use these directories: {error}")))
    }

    /// The engine on those paths.
    ///
    /// # Errors
    /// One line for a user who is not root, and what the engine says.
    pub(crate) fn engine(&self) -> Result<Engine> {
        self.opened(Engine::open)
    }

    /// The same for a command that starts containers.
    ///
    /// # Errors
    /// As [`Context::engine`].
    pub(crate) fn engine_to_start(&self) -> Result<Engine> {
        self.opened(Engine::open_to_start)
    }

    fn opened(&self, open: impl FnOnce(Options) -> engine::Result<Engine>) -> Result<Engine> {
        let options = self.options()?;
        let root = options.paths.root().to_owned();
        open(options).cannot(|| format!("open the store in {}", root.display()))
    }

    /// What the engine works with, for those who cannot be sure that the store opens.
    ///
    /// # Errors
    /// One line for a user who is not root.
    pub(crate) fn options(&self) -> Result<Options> {
        if !rustix::process::geteuid().is_root() {
            return Err(Failure::new("needs root for now: rootless comes later").with_hint("try it with sudo"));
        }
        Ok(Options {
            paths: self.paths()?,
            runtime_program: embedded::RUNTIME,
            runtime_build: embedded::RUNTIME_BUILD,
            hello_program: embedded::HELLO,
            program: Some("/proc/self/exe"),
            registries: self.registries.clone(),
            docker_config: self.config.clone(),
        })
    }
}
