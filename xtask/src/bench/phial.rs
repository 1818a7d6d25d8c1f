//! Phial, with a root of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::Result;
use end_to_end::process::run;

use super::peer::DockersWords;

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
}

impl DockersWords for Phial {
    const NAME: &'static str = NAME;

    fn version(&self) -> Result<String> {
        Ok(run(&mut self.line(&["--version"]))?.success()?.trim().to_owned())
    }

    fn line(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("PHIAL_ROOT", &self.root).env("PHIAL_RUN", &self.run);
        command
    }
}
