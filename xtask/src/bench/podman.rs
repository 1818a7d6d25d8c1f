//! Podman as a peer. Its runtime is crun as in Debian's own configuration, or runc where crun refuses the host (version
//! 1.8 does so with controllers in the second hierarchy of a hybrid one).

use std::process::Command;

use end_to_end::Result;
use end_to_end::engines::Podman;
use end_to_end::process::run;

use super::peer::{DockersWords, Peer};

pub(crate) const NAME: &str = "podman";
/// The runtime of Debian's own configuration.
pub(crate) const RUNTIME: &str = "crun";

impl DockersWords for Podman {
    const NAME: &'static str = NAME;
    const REGISTRY: &'static [&'static str] = &["--tls-verify=false"];
    const REMOVE: &'static [&'static str] = &["rm", "--force", "--time", "0"];

    fn version(&self) -> Result<String> {
        let version = run(Command::new("podman").arg("--version"))?.success()?;
        Ok(format!("{} with {}", version.trim().replace(" version", ""), self.runtime().display()))
    }

    fn line(&self, arguments: &[&str]) -> Command {
        self.command(arguments)
    }

    fn run(&self, flags: &[&str], image: &str, program: &[&str]) -> Command {
        Podman::run(self, flags, image, program)
    }

    fn settle(&mut self, image: &str) -> Result {
        if run(&mut self.run_true(image))?.code == 0 {
            return Ok(());
        }
        self.set_runtime("runc");
        run(&mut self.run_true(image))?.success().map(drop)
    }
}
