//! Docker as a peer.

use std::path::Path;
use std::process::Command;

use end_to_end::Result;
use end_to_end::engines::Docker;

use super::peer::{Peer, pid_of_inspected};

pub(crate) const NAME: &str = "docker";

impl Peer for Docker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String> {
        self.ok(&["version", "--format", "docker {{.Server.Version}}"])
    }

    fn pull(&self, image: &str) -> Command {
        self.command(&["pull", image])
    }

    fn run_true(&self, image: &str) -> Command {
        self.command(&["run", "--rm", "--network", "none", image, "true"])
    }

    fn start(&self, image: &str, name: &str) -> Result<i32> {
        self.ok(&["run", "-d", "--network", "none", "--name", name, image, "sleep", "1000000"])?;
        pid_of_inspected(&self.ok(&["inspect", name])?)
    }

    fn exec_true(&self, name: &str) -> Command {
        self.command(&["exec", name, "true"])
    }

    fn remove(&self, name: &str) -> Result {
        self.ok(&["rm", "--force", name]).map(drop)
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
