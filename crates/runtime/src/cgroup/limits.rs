//! Limits of a configuration as values to write into files of a cgroup: a pure function.

use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxResources};

use crate::error::{Error, ErrorKind, Result};

/// One value for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    /// The field of the configuration, for people.
    pub(super) field: &'static str,
    /// The controller that has the file.
    pub(super) controller: &'static str,
    /// File name in the cgroup's directory.
    pub(super) file: String,
    /// What is written.
    pub(super) value: String,
    /// Whether a host without the file is acceptable: the limit follows from another one and was not asked for.
    pub(super) optional: bool,
}

/// Everything to be written, in order.
pub(super) fn writes(resources: &LinuxResources, unified: bool) -> Result<Vec<Write>> {
    refuse_unsupported(resources, unified)?;
    let mut list = Vec::new();
    if let Some(memory) = resources.memory() {
        self::memory(memory, unified, &mut list)?;
    }
    if let Some(cpu) = resources.cpu() {
        self::cpu(cpu, unified, &mut list);
    }
    if let Some(pids) = resources.pids() {
        // 0 and below mean no limit, as docker and every runtime before specification 1.3 read it.
        let value = if pids.limit() > 0 { pids.limit().to_string() } else { "max".to_owned() };
        list.push(write("linux.resources.pids.limit", "pids", "pids.max", value));
    }
    for (file, value) in resources.unified().iter().flatten() {
        let controller = file.split('.').next().unwrap_or_default().to_owned();
        if file.contains('/') || controller.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, format!("linux.resources.unified {file:?}: is no file name")));
        }
        list.push(Write { file: file.clone(), ..write("linux.resources.unified", "unified", "", value.clone()) });
    }
    Ok(list)
}

fn memory(memory: &LinuxMemory, unified: bool, list: &mut Vec<Write>) -> Result<()> {
    let bytes = |limit: i64| if limit == -1 && unified { "max".to_owned() } else { limit.to_string() };
    if let Some(limit) = memory.limit() {
        let file = if unified { "memory.max" } else { "memory.limit_in_bytes" };
        list.push(write("linux.resources.memory.limit", "memory", file, bytes(limit)));
    }
    if let Some(reservation) = memory.reservation() {
        let file = if unified { "memory.low" } else { "memory.soft_limit_in_bytes" };
        list.push(write("linux.resources.memory.reservation", "memory", file, bytes(reservation)));
    }
    if let Some(swap) = memory.swap() {
        let limit = memory.limit().unwrap_or(-1);
        if swap != -1 && limit != -1 && swap < limit {
            let message =
                format!("linux.resources.memory.swap {swap}: is memory and swap together, so not below limit {limit}");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        // v1 limits the sum, v2 swap alone. Kernels without swap accounting lack the file; memory is limited all the same.
        let (file, value) = if !unified {
            ("memory.memsw.limit_in_bytes", swap.to_string())
        } else if swap == -1 || limit == -1 {
            ("memory.swap.max", "max".to_owned())
        } else {
            ("memory.swap.max", (swap - limit).to_string())
        };
        list.push(Write { optional: true, ..write("linux.resources.memory.swap", "memory", file, value) });
    }
    Ok(())
}

fn cpu(cpu: &LinuxCpu, unified: bool, list: &mut Vec<Write>) {
    /// Length of a scheduling period when none is given, in microseconds.
    const PERIOD: u64 = 100_000;
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        list.push(if unified {
            // The two ranges, 2..262144 and 1..10000, are mapped linearly, as engines agree.
            let weight = 1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142;
            write("linux.resources.cpu.shares", "cpu", "cpu.weight", weight.to_string())
        } else {
            write("linux.resources.cpu.shares", "cpu", "cpu.shares", shares.to_string())
        });
    }
    let period = cpu.period().filter(|period| *period != 0);
    let quota = cpu.quota().filter(|quota| *quota != 0);
    if unified && (quota.is_some() || period.is_some()) {
        let quota = quota.filter(|quota| *quota > 0).map_or_else(|| "max".to_owned(), |quota| quota.to_string());
        let value = format!("{quota} {}", period.unwrap_or(PERIOD));
        list.push(write("linux.resources.cpu.quota", "cpu", "cpu.max", value));
    } else if !unified {
        if let Some(period) = period {
            list.push(write("linux.resources.cpu.period", "cpu", "cpu.cfs_period_us", period.to_string()));
        }
        if let Some(quota) = quota {
            list.push(write("linux.resources.cpu.quota", "cpu", "cpu.cfs_quota_us", quota.to_string()));
        }
    }
    for (field, file, value) in [
        ("linux.resources.cpu.cpus", "cpuset.cpus", cpu.cpus()),
        ("linux.resources.cpu.mems", "cpuset.mems", cpu.mems()),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            list.push(write(field, "cpuset", file, value.clone()));
        }
    }
}

fn write(field: &'static str, controller: &'static str, file: &str, value: String) -> Write {
    Write { field, controller, file: file.to_owned(), value, optional: false }
}

fn refuse_unsupported(resources: &LinuxResources, unified: bool) -> Result<()> {
    let memory = resources.memory().as_ref();
    let cpu = resources.cpu().as_ref();
    let fields = [
        ("blockIO", resources.block_io().is_some()),
        ("hugepageLimits", resources.hugepage_limits().as_ref().is_some_and(|limits| !limits.is_empty())),
        ("network", resources.network().is_some()),
        ("rdma", resources.rdma().as_ref().is_some_and(|limits| !limits.is_empty())),
        ("memory.kernel", memory.is_some_and(|memory| memory.kernel().is_some())),
        ("memory.kernelTCP", memory.is_some_and(|memory| memory.kernel_tcp().is_some())),
        ("memory.swappiness", memory.is_some_and(|memory| memory.swappiness().is_some())),
        ("memory.disableOOMKiller", memory.is_some_and(|memory| memory.disable_oom_killer().unwrap_or(false))),
        ("cpu.realtimeRuntime", cpu.is_some_and(|cpu| cpu.realtime_runtime().unwrap_or(0) != 0)),
        ("cpu.realtimePeriod", cpu.is_some_and(|cpu| cpu.realtime_period().unwrap_or(0) != 0)),
        ("cpu.idle", cpu.is_some_and(|cpu| cpu.idle().unwrap_or(0) != 0)),
        ("cpu.burst", cpu.is_some_and(|cpu| cpu.burst().unwrap_or(0) != 0)),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, present)| *present) {
        return Err(Error::new(ErrorKind::Unsupported, format!("linux.resources.{field} is not supported yet")));
    }
    if !unified && resources.unified().as_ref().is_some_and(|files| !files.is_empty()) {
        return Err(Error::new(ErrorKind::Unsupported, "linux.resources.unified: this host has cgroup v1"));
    }
    Ok(())
}
