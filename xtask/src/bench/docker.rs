//! Docker as a peer.

use std::process::Command;

use end_to_end::Result;
use end_to_end::engines::Docker;

use super::peer::DockersWords;

pub(crate) const NAME: &str = "docker";

impl DockersWords for Docker {
    const NAME: &'static str = NAME;

    fn version(&self) -> Result<String> {
        self.ok(&["version", "--format", "docker {{.Server.Version}}"])
    }

    fn line(&self, arguments: &[&str]) -> Command {
        self.command(arguments)
    }
}
