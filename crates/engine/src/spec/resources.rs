//! Limits: memory, CPU time, processes.

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};

use super::Host;
use crate::config::ContainerConfig;
use crate::config::size::NANO;
use crate::error::{Error, Result};

/// Microseconds in which a share of CPU time is counted: the kernel's default and docker's.
const CPU_PERIOD: u64 = 100_000;

/// The resources of a container.
///
/// # Errors
/// `Invalid` for more CPUs than there are.
pub(super) fn resources(config: &ContainerConfig, host: &Host) -> Result<LinuxResources> {
    let mut resources = LinuxResources::default();
    resources
        .set_memory(config.memory.map(memory))
        .set_cpu(config.nano_cpus.map(|nano| cpu(nano, host)).transpose()?)
        .set_pids(config.pids_limit.map(pids))
        // What every container may use is the runtime's to say.
        .set_devices(None);
    Ok(resources)
}

/// A limit of memory is docker's: as much again may go to swap.
fn memory(limit: u64) -> LinuxMemory {
    let bytes = |limit: u64| Some(i64::try_from(limit).unwrap_or(i64::MAX));
    let mut memory = LinuxMemory::default();
    memory.set_limit(bytes(limit)).set_swap(bytes(limit.saturating_mul(2)));
    memory
}

fn cpu(nano: u64, host: &Host) -> Result<LinuxCpu> {
    if nano > host.cpus * NANO {
        let asked = format!("{}.{:09}", nano / NANO, nano % NANO);
        let asked = asked.trim_end_matches('0').trim_end_matches('.');
        return Err(Error::invalid(format!("--cpus {asked}: this host has only {}", host.cpus)));
    }
    let quota = nano * CPU_PERIOD / NANO;
    let mut cpu = LinuxCpu::default();
    cpu.set_quota(Some(i64::try_from(quota).unwrap_or(i64::MAX))).set_period(Some(CPU_PERIOD));
    Ok(cpu)
}

fn pids(limit: u32) -> LinuxPids {
    let mut pids = LinuxPids::default();
    pids.set_limit(i64::from(limit));
    pids
}
