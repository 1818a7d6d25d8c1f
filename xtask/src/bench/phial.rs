//! Phial, with a root of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::Result;
use end_to_end::process::run;

use super::peer::{Peer, pid_of_inspected};

pub(crate) const NAME: &str = "phial";

pub(crate) struct Phial {
    program: PathBuf,
    root: PathBuf,
    run: PathBuf,
}

impl Phial {
    pub(crate) fn new(program: &Path, dir: &Path) -> Phial {
        Phial { program: program.to_owned(), root: dir.join("phial/root"), run: dir.join("phial/run") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("PHIAL_ROOT", &self.root).env("PHIAL_RUN", &self.run);
        command
    }
}

impl Peer for Phial {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String> {
        Ok(run(&mut self.command(&["--version"]))?.success()?.trim().to_owned())
    }

    fn pull(&self, image: &str) -> Command {
        self.command(&["pull", image])
    }

    fn run_true(&self, image: &str) -> Command {
        self.command(&["run", "--rm", "--network", "none", image, "true"])
    }

    fn start(&self, image: &str, name: &str) -> Result<i32> {
        let sleep = ["run", "-d", "--network", "none", "--name", name, image, "sleep", "1000000"];
        run(&mut self.command(&sleep))?.success()?;
        pid_of_inspected(&run(&mut self.command(&["inspect", name]))?.success()?)
    }

    fn exec_true(&self, name: &str) -> Command {
        self.command(&["exec", name, "true"])
    }

    fn remove(&self, name: &str) -> Result {
        run(&mut self.command(&["rm", "-f", name]))?.success().map(drop)
    }

    fn docker(&self, arguments: &[&str]) -> Option<Command> {
        Some(self.command(arguments))
    }

    fn tag(&self, image: &str, name: &str) -> Command {
        self.command(&["tag", image, name])
    }

    fn push(&self, name: &str) -> Command {
        self.command(&["push", name])
    }

    fn save(&self, image: &str, file: &Path) -> Command {
        let mut command = self.command(&["save", "-o"]);
        command.arg(file).arg(image);
        command
    }
}
