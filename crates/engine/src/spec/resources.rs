//! Limits: memory, CPU time, processes, disks, devices.

use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPids, LinuxResources, LinuxThrottleDeviceBuilder, LinuxWeightDevice,
    LinuxWeightDeviceBuilder,
};

use super::{Host, devices};
use crate::config::size::NANO;
use crate::config::{ContainerConfig, OfDisk};
use crate::error::{Error, Result};

/// Microseconds in which a share of CPU time is counted: the kernel's default and docker's.
const CPU_PERIOD: u64 = 100_000;

/// The resources of a container.
///
/// # Errors
/// `Invalid` for more CPUs than there are.
pub(crate) fn resources(config: &ContainerConfig, host: &Host) -> Result<LinuxResources> {
    let mut resources = LinuxResources::default();
    resources
        .set_memory(memory(config))
        .set_cpu(cpu(config, host)?)
        .set_pids(config.pids_limit.map(pids))
        .set_block_io(block_io(config, host))
        // What every container may use besides is the runtime's to say.
        .set_devices(devices::rules(config, &[host.devices.as_slice(), host.edits.devices.as_slice()].concat()));
    Ok(resources)
}

/// A limit of memory is docker's: unless it is said otherwise, as much again may go to swap.
fn memory(config: &ContainerConfig) -> Option<LinuxMemory> {
    let bytes = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX);
    let twice = || config.memory.map(|limit| bytes(limit.saturating_mul(2)));
    let mut memory = LinuxMemory::default();
    memory
        .set_limit(config.memory.map(bytes))
        .set_swap(config.memory_swap.or_else(twice))
        .set_reservation(config.memory_reservation.map(bytes))
        .set_swappiness(config.memory_swappiness)
        .set_disable_oom_killer(config.oom_kill_disable.then_some(true));
    (memory != LinuxMemory::default()).then_some(memory)
}

fn cpu(config: &ContainerConfig, host: &Host) -> Result<Option<LinuxCpu>> {
    let mut cpu = LinuxCpu::default();
    cpu.set_shares(config.cpu_shares)
        .set_quota(config.cpu_quota)
        .set_period(config.cpu_period)
        .set_realtime_runtime(config.cpu_rt_runtime.and_then(|runtime| i64::try_from(runtime).ok()))
        .set_realtime_period(config.cpu_rt_period)
        .set_cpus(config.cpuset_cpus.clone())
        .set_mems(config.cpuset_mems.clone());
    if let Some(nano) = config.nano_cpus {
        if nano > host.cpus * NANO {
            let asked = format!("{}.{:09}", nano / NANO, nano % NANO);
            let asked = asked.trim_end_matches('0').trim_end_matches('.');
            return Err(Error::invalid(format!("--cpus {asked}: this host has only {}", host.cpus)));
        }
        let quota = nano * CPU_PERIOD / NANO;
        cpu.set_quota(Some(i64::try_from(quota).unwrap_or(i64::MAX))).set_period(Some(CPU_PERIOD));
    }
    Ok((cpu != LinuxCpu::default()).then_some(cpu))
}

fn pids(limit: u32) -> LinuxPids {
    let mut pids = LinuxPids::default();
    pids.set_limit(i64::from(limit));
    pids
}

fn block_io(config: &ContainerConfig, host: &Host) -> Option<LinuxBlockIo> {
    let io = &config.block_io;
    let number = |of: &OfDisk| {
        let disk = host.disks.iter().find(|disk| disk.path == of.path);
        disk.map_or((0, 0), |disk| (disk.major, disk.minor))
    };
    let throttles = |list: &[OfDisk]| {
        let throttle = |of: &OfDisk| {
            let (major, minor) = number(of);
            let device = LinuxThrottleDeviceBuilder::default().major(major).minor(minor).rate(of.amount);
            device.build().expect("all three fields are given")
        };
        Some(list.iter().map(throttle).collect::<Vec<_>>()).filter(|list| !list.is_empty())
    };
    let weight = |of: &OfDisk| {
        let (major, minor) = number(of);
        let weight = u16::try_from(of.amount).unwrap_or(u16::MAX);
        let device = LinuxWeightDeviceBuilder::default().major(major).minor(minor).weight(weight);
        device.build().expect("the fields that there must be are given")
    };
    let weights: Vec<LinuxWeightDevice> = io.weight_devices.iter().map(weight).collect();
    let mut block = LinuxBlockIo::default();
    block
        .set_weight(io.weight)
        .set_weight_device(Some(weights).filter(|list| !list.is_empty()))
        .set_throttle_read_bps_device(throttles(&io.read_bps))
        .set_throttle_write_bps_device(throttles(&io.write_bps))
        .set_throttle_read_iops_device(throttles(&io.read_iops))
        .set_throttle_write_iops_device(throttles(&io.write_iops));
    (block != LinuxBlockIo::default()).then_some(block)
}
