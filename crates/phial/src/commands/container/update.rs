//! `phial update`.

use std::process::ExitCode;

use clap::Args;
use engine::Update as Changes;
use engine::config::{self, BlockIo, ContainerConfig, block_io, limits, size};

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial update -m 512m --memory-swap 1g web
  phial update --cpus 1.5 --restart unless-stopped web db";

/// What `phial update` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Update {
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
    /// Weight among those who want the CPUs
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
    pids_limit: Option<String>,
    /// Start the container again when it has ended: no, on-failure[:MAX], always or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Update {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || format!("update {}", self.containers.join(" "));
        let changes = self.changes().cannot(doing)?;
        let Some(changes) = changes else {
            return Err(Failure::new("you must provide one or more flags when using this command")
                .with_hint("phial update --help lists them"));
        };
        let engine = context.engine()?;
        each(&self.containers, |name| {
            let container = engine.container(name);
            let updated = container.and_then(|container| engine.update(&container, &changes));
            updated.cannot(|| format!("update {name}"))?;
            output::print_line(name)
        })
    }
}

impl Update {
    /// What the flags ask for; None if there are none.
    fn changes(&self) -> engine::Result<Option<Changes>> {
        let flag = |text: &Option<String>, parse: fn(&str) -> engine::Result<Option<u64>>| {
            text.as_deref().map_or(Ok(None), parse)
        };
        let set = |flag, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| limits::parse_set(flag, text)).transpose()
        };
        let weight = self.blkio_weight.as_deref().map(block_io::parse_weight).transpose()?.flatten();
        let new = ContainerConfig {
            block_io: BlockIo { weight, ..BlockIo::default() },
            cpu_period: flag(&self.cpu_period, limits::parse_cpu_period)?,
            cpu_quota: self.cpu_quota.as_deref().map(limits::parse_cpu_quota).transpose()?.flatten(),
            cpu_rt_period: flag(&self.cpu_rt_period, |text| limits::parse_microseconds("--cpu-rt-period", text))?,
            cpu_rt_runtime: flag(&self.cpu_rt_runtime, |text| limits::parse_microseconds("--cpu-rt-runtime", text))?,
            cpu_shares: flag(&self.cpu_shares, limits::parse_cpu_shares)?,
            nano_cpus: flag(&self.cpus, size::parse_cpus)?,
            cpuset_cpus: set("--cpuset-cpus", &self.cpuset_cpus)?,
            cpuset_mems: set("--cpuset-mems", &self.cpuset_mems)?,
            memory: flag(&self.memory, size::parse_memory)?,
            memory_reservation: flag(&self.memory_reservation, size::parse_memory_reservation)?,
            memory_swap: self.memory_swap.as_deref().map(limits::parse_memory_swap).transpose()?.flatten(),
            ..ContainerConfig::default()
        };
        let pids_limit = self.pids_limit.as_deref().map(config::parse_pids_limit).transpose()?;
        let restart = self.restart.as_deref().map(config::restart::parse_restart).transpose()?;
        let given = pids_limit.is_some() || restart.is_some() || new != ContainerConfig::default();
        Ok(given.then_some(Changes { limits: new, pids_limit, restart }))
    }
}
