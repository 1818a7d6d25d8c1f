//! The limits that can be changed afterwards as well: of `run` and `create`, and of `update`.

use clap::Args;
use engine::config::{ContainerConfig, block_io, limits, size};

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::commands::container) struct Limits {
    /// Weight of the container's disk accesses, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<String>,
    /// Microseconds in which the share of CPU time is counted
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<String>,
    /// Microseconds of CPU time in each period
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    cpu_quota: Option<String>,
    /// Microseconds in which real-time CPU time is counted
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_rt_period: Option<String>,
    /// Microseconds of real-time CPU time in each period
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_rt_runtime: Option<String>,
    /// Weight among those who want the CPUs; 1024 by default
    #[arg(short, long, value_name = "WEIGHT")]
    cpu_shares: Option<String>,
    /// Number of CPUs, such as 1.5
    #[arg(long, value_name = "NUMBER")]
    cpus: Option<String>,
    /// CPUs that may be used, such as 0-2,4
    #[arg(long, value_name = "CPUS")]
    cpuset_cpus: Option<String>,
    /// Memory nodes that may be used, such as 0,1
    #[arg(long, value_name = "NODES")]
    cpuset_mems: Option<String>,
    /// Limit the memory, such as 64m or 1.5g
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Memory that is left to the container when the host is short of it
    #[arg(long, value_name = "SIZE")]
    memory_reservation: Option<String>,
    /// Limit memory and swap together; -1 for no limit
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Limit the number of processes; -1 for no limit
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub(in crate::commands::container) pids_limit: Option<String>,
}

impl Limits {
    /// Puts all of them into `config`, but for the number of processes: what lifts that limit is told from what leaves it.
    ///
    /// # Errors
    /// For a value that makes no sense.
    pub(in crate::commands::container) fn apply(&self, config: &mut ContainerConfig) -> engine::Result<()> {
        let flag = |text: &Option<String>, parse: fn(&str) -> engine::Result<Option<u64>>| {
            text.as_deref().map_or(Ok(None), parse)
        };
        let set = |flag, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| limits::parse_set(flag, text)).transpose()
        };
        config.block_io.weight = self.blkio_weight.as_deref().map(block_io::parse_weight).transpose()?.flatten();
        config.cpu_shares = flag(&self.cpu_shares, limits::parse_cpu_shares)?;
        config.cpu_period = flag(&self.cpu_period, limits::parse_cpu_period)?;
        config.cpu_quota = self.cpu_quota.as_deref().map(limits::parse_cpu_quota).transpose()?.flatten();
        config.cpu_rt_period = flag(&self.cpu_rt_period, |text| limits::parse_microseconds("--cpu-rt-period", text))?;
        config.cpu_rt_runtime =
            flag(&self.cpu_rt_runtime, |text| limits::parse_microseconds("--cpu-rt-runtime", text))?;
        config.nano_cpus = flag(&self.cpus, size::parse_cpus)?;
        config.cpuset_cpus = set("--cpuset-cpus", &self.cpuset_cpus)?;
        config.cpuset_mems = set("--cpuset-mems", &self.cpuset_mems)?;
        config.memory = flag(&self.memory, size::parse_memory)?;
        config.memory_reservation = flag(&self.memory_reservation, size::parse_memory_reservation)?;
        config.memory_swap = self.memory_swap.as_deref().map(limits::parse_memory_swap).transpose()?.flatten();
        Ok(())
    }
}
