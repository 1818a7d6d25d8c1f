//! A directory that is built, and the commands that build it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Context, Output, Phial, Result, Stage, faults, images};

/// What the small image is called in Dockerfiles of tests.
pub const BASE: &str = "base";

/// A directory with a Dockerfile, and a program with an image that is called `base`.
#[derive(Debug)]
pub struct Project {
    /// The program, the registry, and the image.
    pub stage: Stage,
    dir: PathBuf,
}

impl Project {
    /// With the small image.
    ///
    /// # Errors
    /// A tool is missing, or the pull fails.
    pub fn new(dockerfile: &str) -> Result<Project> {
        Project::on(Stage::busybox()?, dockerfile)
    }

    /// With the Debian image.
    ///
    /// # Errors
    /// A tool is missing, or the pull fails.
    pub fn debian(dockerfile: &str) -> Result<Project> {
        Project::on(Stage::debian()?, dockerfile)
    }

    /// With the small image, and the program that dies where it is told to.
    ///
    /// # Errors
    /// It was not built, a tool is missing, or the pull fails.
    pub fn that_dies(dockerfile: &str) -> Result<Project> {
        let (registry, phial) = (images::registry()?, faults::phial()?);
        let image = registry.name(images::BUSYBOX);
        phial.ok(&["pull", &image])?;
        Project::on(Stage { phial, registry, image }, dockerfile)
    }

    fn on(stage: Stage, dockerfile: &str) -> Result<Project> {
        stage.phial.ok(&["tag", &stage.image, BASE])?;
        let dir = stage.phial.scratch().join("project");
        let project = Project { stage, dir };
        project.write("Dockerfile", dockerfile)?;
        Ok(project)
    }

    /// The program.
    pub fn phial(&self) -> &Phial {
        &self.stage.phial
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The same, as a word of a command line.
    pub fn path(&self) -> String {
        self.dir.display().to_string()
    }

    /// A file of the directory.
    ///
    /// # Errors
    /// Of the file system.
    pub fn write(&self, path: &str, content: &str) -> Result {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
        fs::write(&path, content).context(path.display())
    }

    /// Its permission bits.
    ///
    /// # Errors
    /// Of the file system.
    pub fn chmod(&self, path: &str, mode: u32) -> Result {
        fs::set_permissions(self.dir.join(path), fs::Permissions::from_mode(mode)).context(path)
    }

    /// `phial build FLAGS DIRECTORY`, not started. Commands of it have no network, unless flags say so.
    pub fn command(&self, flags: &[&str]) -> Command {
        let network: &[&str] =
            if flags.iter().any(|flag| flag.starts_with("--network")) { &[] } else { &["--network", "none"] };
        self.stage.phial.command(&[&["build"], network, flags, &[&self.path()]].concat())
    }

    /// The same, to its end.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn build(&self, flags: &[&str]) -> Result<Output> {
        crate::process::run(&mut self.command(flags))
    }

    /// A build that must succeed: the id of the image.
    ///
    /// # Errors
    /// It did not: the message has everything it wrote.
    pub fn id(&self, flags: &[&str]) -> Result<String> {
        let printed = self.build(&[&["--quiet"], flags].concat())?.success()?;
        Ok(printed.trim_end().to_owned())
    }

    /// A build of another Dockerfile that must succeed, and what a script in its image prints.
    ///
    /// # Errors
    /// One of them did not succeed: the message has everything it wrote.
    pub fn made(&self, dockerfile: &str, flags: &[&str], script: &str) -> Result<String> {
        self.write("Dockerfile", dockerfile)?;
        let id = self.id(flags)?;
        self.in_image(&id, script)
    }

    /// What a script in an image prints.
    ///
    /// # Errors
    /// It did not succeed: the message has everything it wrote.
    pub fn in_image(&self, image: &str, script: &str) -> Result<String> {
        self.stage.phial.ok(&["run", "--rm", "--network", "none", image, "sh", "-c", script])
    }
}
