//! Time on processors, and time kept from them (kernel `cgroup-v2.rst`, `cpu.stat`; `cgroup-v1/cpuacct.rst`;
//! `scheduler/sched-bwc.rst`).

use serde::Serialize;

use super::super::directory::Directory;
use super::pressure::{self, Pressure};
use super::{is_zero, table};
use crate::error::Result;

/// Time on processors.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// What was used.
    pub usage: CpuUsage,
    /// What the quota kept from it.
    pub throttling: Throttling,
    /// What was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

/// Nanoseconds of processor time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CpuUsage {
    /// All of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub total: u64,
    /// By processor (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu: Vec<u64>,
    /// By processor, in the kernel (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_kernel: Vec<u64>,
    /// By processor, in programs (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_user: Vec<u64>,
    /// In the kernel.
    pub kernel: u64,
    /// In programs.
    pub user: u64,
}

/// What a quota did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Throttling {
    /// Periods in which something ran.
    #[serde(skip_serializing_if = "is_zero")]
    pub periods: u64,
    /// Those in which the quota was used up.
    #[serde(skip_serializing_if = "is_zero")]
    pub throttled_periods: u64,
    /// Nanoseconds for which processes were kept waiting.
    #[serde(skip_serializing_if = "is_zero")]
    pub throttled_time: u64,
}

const MICROSECOND: u64 = 1000;
/// `USER_HZ`: 100 on every architecture that is supported (`time(7)`).
const TICK: u64 = 1_000_000_000 / 100;

pub(super) fn v2(directory: &Directory) -> Result<Cpu> {
    let stat = table::words(directory, "cpu.stat")?;
    let get = |word: &str| stat.get(word).copied().unwrap_or(0);
    let usage = CpuUsage {
        total: get("usage_usec") * MICROSECOND,
        kernel: get("system_usec") * MICROSECOND,
        user: get("user_usec") * MICROSECOND,
        ..CpuUsage::default()
    };
    let throttling = Throttling {
        periods: get("nr_periods"),
        throttled_periods: get("nr_throttled"),
        throttled_time: get("throttled_usec") * MICROSECOND,
    };
    Ok(Cpu { usage, throttling, psi: pressure::read(directory, "cpu.pressure")? })
}

pub(super) fn v1(cpu: Option<&Directory>, accounting: Option<&Directory>) -> Result<Cpu> {
    let mut stats = Cpu::default();
    if let Some(directory) = cpu {
        let stat = table::words(directory, "cpu.stat")?;
        let get = |word: &str| stat.get(word).copied().unwrap_or(0);
        stats.throttling = Throttling {
            periods: get("nr_periods"),
            throttled_periods: get("nr_throttled"),
            throttled_time: get("throttled_time"),
        };
    }
    stats.usage = accounting.map(usage_v1).transpose()?.unwrap_or_default();
    Ok(stats)
}

fn usage_v1(directory: &Directory) -> Result<CpuUsage> {
    let stat = table::words(directory, "cpuacct.stat")?;
    let ticks = |word: &str| stat.get(word).copied().unwrap_or(0) * TICK;
    let all = directory.find("cpuacct.usage_all")?.unwrap_or_default();
    // Below its heads: number, user, system.
    let rows: Vec<Vec<u64>> = all.lines().skip(1).map(table::list).collect();
    let column = |column: usize| rows.iter().filter_map(|row| row.get(column).copied()).collect();
    Ok(CpuUsage {
        total: table::number_or_zero(directory, "cpuacct.usage")?,
        percpu: table::list(&directory.find("cpuacct.usage_percpu")?.unwrap_or_default()),
        percpu_kernel: column(2),
        percpu_user: column(1),
        kernel: ticks("system"),
        user: ticks("user"),
    })
}
