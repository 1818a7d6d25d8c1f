//! What a container may use up.

use clap::Args;
use engine::config::{self, ContainerConfig, Ulimit, size};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    /// Number of CPUs, such as 1.5
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<String>,
    /// Limit the memory, such as 64m or 1.5g
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Limit the number of processes; -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pids_limit: Option<String>,
    /// Set a resource limit, such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
}

impl Flags {
    pub(super) fn apply(self, config: &mut ContainerConfig) -> engine::Result<()> {
        config.nano_cpus = self.cpus.as_deref().map(size::parse_cpus).transpose()?.flatten();
        config.memory = self.memory.as_deref().map(size::parse_memory).transpose()?.flatten();
        config.pids_limit = self.pids_limit.as_deref().map(config::parse_pids_limit).transpose()?.flatten();
        config.ulimits = self.ulimit.iter().map(|text| Ulimit::parse(text)).collect::<engine::Result<_>>()?;
        Ok(())
    }
}
