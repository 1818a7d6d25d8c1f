//! containerd as a peer, driven by its own `ctr`.

use std::path::Path;
use std::process::Command;

use end_to_end::Result;
use end_to_end::engines::Containerd;
use end_to_end::process::run;

use super::peer::Peer;

pub(crate) const NAME: &str = "containerd";

impl Peer for Containerd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String> {
        let version = run(Command::new("containerd").arg("--version"))?.success()?;
        Ok(format!("containerd {}", version.split_whitespace().nth(2).unwrap_or_default()))
    }

    fn pull(&self, image: &str) -> Command {
        self.ctr(&["images", "pull", "--plain-http", image])
    }

    fn run_true(&self, image: &str) -> Command {
        self.run(&["--rm", image, &self.fresh(), "true"])
    }

    fn start(&self, image: &str, name: &str) -> Result<i32> {
        self.run_detached(&[], image, name, &["sleep", "1000000"])?;
        self.pid(name)
    }

    fn exec_true(&self, name: &str) -> Command {
        self.ctr(&["tasks", "exec", "--exec-id", &self.fresh(), name, "true"])
    }

    fn remove(&self, name: &str) -> Result {
        Containerd::remove(self, name)
    }

    fn docker(&self, _arguments: &[&str]) -> Option<Command> {
        None
    }

    fn tag(&self, image: &str, name: &str) -> Command {
        self.ctr(&["images", "tag", image, name])
    }

    fn push(&self, name: &str) -> Command {
        self.ctr(&["images", "push", "--plain-http", name])
    }

    fn save(&self, image: &str, file: &Path) -> Command {
        let mut command = self.ctr(&["images", "export"]);
        command.arg(file).arg(image);
        command
    }
}
