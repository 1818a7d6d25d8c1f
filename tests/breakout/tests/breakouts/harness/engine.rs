//! `phial` itself, with a registry of hostile images. Of other runtimes there is nothing to attack here: they have no
//! images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::image::{Compression, Image, Layer};
use end_to_end::process::run;
use end_to_end::registry::Registry;
use end_to_end::{Output, Phial, Result, images};
use serde_json::Value;
use tempfile::TempDir;

use super::Verdict;
use super::scene::list;

/// The program, a registry, and a victim.
#[derive(Debug)]
pub(crate) struct Engine {
    phial: Phial,
    registry: Registry,
    dir: TempDir,
    without: Option<String>,
    before: Vec<String>,
}

impl Engine {
    /// With an empty registry and an empty store.
    ///
    /// # Errors
    /// `docker-registry` is missing, or phial was not built.
    pub(crate) fn new(without: Option<&str>) -> Result<Engine> {
        let dir = tempfile::Builder::new().prefix("phial-breakout-").tempdir()?;
        fs::create_dir_all(dir.path().join("victim/directory"))?;
        fs::write(dir.path().join("victim/secret"), "secret of the host\n")?;
        let (phial, registry, without) = (Phial::new()?, Registry::start()?, without.map(str::to_owned));
        let mut engine = Engine { phial, registry, dir, without, before: Vec::new() };
        engine.before = engine.look();
        Ok(engine)
    }

    /// The host's directory that nobody in an image may reach.
    pub(crate) fn victim(&self) -> PathBuf {
        self.dir.path().join("victim")
    }

    /// Where the program keeps what it has.
    pub(crate) fn directories(&self) -> [PathBuf; 2] {
        [self.phial.root(), self.phial.run_dir()]
    }

    /// An image of busybox with a layer made of a directory that `fill` fills. Returns its full name.
    ///
    /// # Errors
    /// The layer cannot be made or uploaded.
    pub(crate) fn image(&self, name: &str, config: Value, fill: impl FnOnce(&Path) -> Result) -> Result<String> {
        let work = self.dir.path().join(name);
        let tree = work.join("tree");
        fs::create_dir_all(&tree)?;
        fill(&tree)?;
        let layer = Layer::from_directory(&tree, &work, Compression::None)?;
        let mut image = images::busybox(&work.join("base"))?;
        image.layers.push(layer);
        image.config = config;
        self.push(&image, name)
    }

    /// An image of one layer that is this archive.
    ///
    /// # Errors
    /// It cannot be uploaded.
    pub(crate) fn archive(&self, name: &str, archive: &[u8]) -> Result<String> {
        let file = self.dir.path().join(format!("{name}.tar"));
        fs::write(&file, archive)?;
        self.push(&Image::new(vec![Layer::from_tar(file, Compression::None)?], serde_json::json!({})), name)
    }

    fn push(&self, image: &Image, name: &str) -> Result<String> {
        image.push(&self.registry, &format!("{name}:latest"))?;
        Ok(self.registry.name(&format!("{name}:latest")))
    }

    /// A command line of phial, to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn phial(&self, arguments: &[&str]) -> Result<Output> {
        let plain = self.phial.command(arguments);
        let Some(calls) = &self.without else { return run(&mut { plain }) };
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakout_without"));
        command.arg(calls).arg(plain.get_program()).args(plain.get_args());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        run(&mut command)
    }

    /// `phial run --rm OPTIONS IMAGE sh -c SCRIPT`, to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn run(&self, options: &[&str], image: &str, script: &str) -> Result<Output> {
        self.phial(&[&["run", "--rm"], options, &[image, "sh", "-c", script]].concat())
    }

    /// Held, if the host is as it was.
    pub(crate) fn untouched(&self) -> Verdict {
        let now = self.look();
        Verdict::held_if(now == self.before, || {
            let new: Vec<&String> = now.iter().filter(|line| !self.before.contains(line)).collect();
            format!("the host was changed: {new:?}").replace(&self.dir.path().display().to_string(), "HOST")
        })
    }

    fn look(&self) -> Vec<String> {
        let mut lines = Vec::new();
        list(&self.victim(), &mut lines);
        lines.sort();
        lines
    }
}
