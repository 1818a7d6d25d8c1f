//! What a container may do.

use clap::Args;
use engine::config::{CapabilityChoice, ContainerConfig, SecurityOption};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Add a capability, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Drop a capability, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Give the container everything: all capabilities and devices, no filter, nothing hidden
    #[arg(long)]
    privileged: bool,
    /// Security options: seccomp=FILE, seccomp=unconfined, apparmor=PROFILE, no-new-privileges, …
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        let parsed = |flag, values: &[String]| {
            values.iter().map(|text| CapabilityChoice::parse(flag, text)).collect::<engine::Result<_>>()
        };
        config.cap_add = parsed("--cap-add", &self.cap_add)?;
        config.cap_drop = parsed("--cap-drop", &self.cap_drop)?;
        config.privileged = self.privileged;
        let option = |text: &String| SecurityOption::parse(text, |path| std::fs::read_to_string(path));
        config.security_opt = self.security_opt.iter().map(option).collect::<engine::Result<_>>()?;
        Ok(())
    }
}
