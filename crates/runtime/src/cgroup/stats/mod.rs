//! What a container has used and waited for, in the shape that engines read from `runc events --stats`
//! (`data` of `{"type":"stats","id":…,"data":…}`). Times are nanoseconds, sizes bytes.
//!
//! Fields that runc leaves out when they are zero are left out here as well. What the kernel does not have is zero:
//! engines ask every second, and a missing controller is no reason to answer nothing.

/// Block devices.
mod block_io;
/// Processors.
mod cpu;
/// Allowed processors and nodes.
mod cpuset;
/// Huge pages.
mod huge_pages;
/// Memory.
mod memory;
/// Time lost to waiting.
mod pressure;
/// Tables of the kernel.
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

pub use block_io::{BlockIo, BlockIoEntry};
pub use cpu::{Cpu, CpuUsage, Throttling};
pub use cpuset::Cpuset;
pub use huge_pages::HugePages;
pub use memory::{Memory, MemoryEntry};
pub use pressure::{Pressure, PressureLine};

use super::Cgroups;
use super::limits::Version;
use crate::error::Result;

/// Everything that is counted of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Processors.
    pub cpu: Cpu,
    /// Allowed processors and memory nodes (v1).
    pub cpuset: Cpuset,
    /// Memory.
    pub memory: Memory,
    /// Processes and threads.
    pub pids: Pids,
    /// Block devices.
    pub blkio: BlockIo,
    /// Huge pages by their size (`2MB`).
    pub hugetlb: BTreeMap<String, HugePages>,
    /// Cache and memory bandwidth of Intel RDT: not measured here.
    pub intel_rdt: IntelRdt,
    /// Network interfaces: null, as with runc for all interfaces that it has not made itself.
    pub network_interfaces: Option<Vec<()>>,
}

/// Processes and threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pids {
    /// How many there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub current: u64,
    /// How many there may be; zero is no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub limit: u64,
}

/// No fields: a place for those who fill it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct IntelRdt {}

impl Cgroups {
    /// What the container has used so far.
    ///
    /// # Errors
    /// `System`, naming the file that cannot be read. One that does not exist is no error.
    pub fn stats(&self) -> Result<Stats> {
        let unified = self.directories.iter().find(|directory| directory.version == Version::V2);
        let old = |controller| if unified.is_some() { None } else { self.with(controller) };
        let mut stats = Stats::default();
        if let Some(directory) = unified {
            stats.cpu = cpu::v2(directory)?;
            stats.memory = memory::v2(directory)?;
            stats.blkio = block_io::v2(directory)?;
        } else {
            stats.cpu = cpu::v1(old("cpu"), old("cpuacct"))?;
            stats.cpuset = old("cpuset").map(cpuset::v1).transpose()?.unwrap_or_default();
            stats.memory = old("memory").map(memory::v1).transpose()?.unwrap_or_default();
            stats.blkio = old("blkio").map(block_io::v1).transpose()?.unwrap_or_default();
        }
        if let Some(directory) = self.with("pids") {
            stats.pids = pids(directory)?;
        }
        if let Some(directory) = self.with("hugetlb") {
            stats.hugetlb = huge_pages::all(directory)?;
        }
        Ok(stats)
    }
}

/// Without the controller the processes are counted.
fn pids(directory: &super::Directory) -> Result<Pids> {
    let limit = table::number(directory, "pids.max")?.filter(|limit| *limit != u64::MAX).unwrap_or(0);
    if let Some(current) = table::number(directory, "pids.current")? {
        return Ok(Pids { current, limit });
    }
    let members = directory.find("cgroup.procs")?.or(directory.find("cgroup.threads")?).unwrap_or_default();
    Ok(Pids { current: members.lines().count() as u64, limit })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
