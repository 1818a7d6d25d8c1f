//! Podman as a peer. Its runtime is crun as in Debian's own configuration, or runc where crun refuses the host (version
//! 1.8 does so with controllers in the second hierarchy of a hybrid one).

use std::path::Path;
use std::process::Command;

use end_to_end::Result;
use end_to_end::engines::Podman;
use end_to_end::process::run;

use super::peer::{Peer, pid_of_inspected};

pub(crate) const NAME: &str = "podman";
/// The runtime of Debian's own configuration.
pub(crate) const RUNTIME: &str = "crun";

impl Peer for Podman {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String> {
        let version = run(Command::new("podman").arg("--version"))?.success()?;
        Ok(format!("{} with {}", version.trim().replace(" version", ""), self.runtime().display()))
    }

    fn prepare(&mut self, image: &str) -> Result {
        run(&mut self.pull(image))?.success()?;
        if run(&mut self.run_true(image))?.code == 0 {
            return Ok(());
        }
        self.set_runtime("runc");
        run(&mut self.run_true(image))?.success().map(drop)
    }

    fn pull(&self, image: &str) -> Command {
        self.command(&["pull", "--tls-verify=false", image])
    }

    fn run_true(&self, image: &str) -> Command {
        self.run(&["--rm"], image, &["true"])
    }

    fn start(&self, image: &str, name: &str) -> Result<i32> {
        run(&mut self.run(&["-d", "--name", name], image, &["sleep", "1000000"]))?.success()?;
        pid_of_inspected(&self.ok(&["inspect", name])?)
    }

    fn exec_true(&self, name: &str) -> Command {
        self.command(&["exec", name, "true"])
    }

    fn remove(&self, name: &str) -> Result {
        self.ok(&["rm", "--force", "--time", "0", name]).map(drop)
    }

    fn docker(&self, arguments: &[&str]) -> Option<Command> {
        Some(self.command(arguments))
    }

    fn tag(&self, image: &str, name: &str) -> Command {
        self.command(&["tag", image, name])
    }

    fn push(&self, name: &str) -> Command {
        self.command(&["push", "--tls-verify=false", name])
    }

    fn save(&self, image: &str, file: &Path) -> Command {
        let mut command = self.command(&["save", "-o"]);
        command.arg(file).arg(image);
        command
    }
}
