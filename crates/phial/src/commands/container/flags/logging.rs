//! Where a container's output is kept.

use clap::Args;
use engine::config::{ContainerConfig, Logging};

#[derive(Debug, Args)]
pub(super) struct Flags {
    /// What keeps the output: json-file, local, k8s-file, journald or none [default: json-file]
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// Set an option of the log driver, such as max-size=10m
    #[arg(long, value_name = "NAME=VALUE")]
    log_opt: Vec<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        config.logging = Logging::parse(self.log_driver.as_deref(), &self.log_opt)?;
        Ok(())
    }
}
