//! Allowed processors and memory nodes, and the switches of v1 (kernel `cgroup-v1/cpusets.rst`).

use serde::Serialize;

use super::super::directory::Directory;
use super::table;
use crate::error::Result;

/// A v1 cpuset. All zero on v2, as with runc.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the kernel's files")]
pub struct Cpuset {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u16>,
    pub cpu_exclusive: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mems: Vec<u16>,
    pub mem_hardwall: u64,
    pub mem_exclusive: u64,
    pub memory_migrate: u64,
    pub memory_spread_page: u64,
    pub memory_spread_slab: u64,
    pub memory_pressure: u64,
    pub sched_load_balance: u64,
    pub sched_relax_domain_level: i64,
}

pub(super) fn v1(directory: &Directory) -> Result<Cpuset> {
    let list = |file| directory.find(file).map(|text| numbers(&text.unwrap_or_default()));
    let switch = |name: &str| table::number_or_zero(directory, &format!("cpuset.{name}"));
    let level = directory.find("cpuset.sched_relax_domain_level")?.and_then(|text| text.parse().ok());
    Ok(Cpuset {
        cpus: list("cpuset.cpus")?,
        cpu_exclusive: switch("cpu_exclusive")?,
        mems: list("cpuset.mems")?,
        mem_hardwall: switch("mem_hardwall")?,
        mem_exclusive: switch("mem_exclusive")?,
        memory_migrate: switch("memory_migrate")?,
        memory_spread_page: switch("memory_spread_page")?,
        memory_spread_slab: switch("memory_spread_slab")?,
        memory_pressure: switch("memory_pressure")?,
        sched_load_balance: switch("sched_load_balance")?,
        sched_relax_domain_level: level.unwrap_or(0),
    })
}

/// All numbers of a list such as `0-3,7`.
pub(super) fn numbers(text: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.trim().parse().ok()?..=to.trim().parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}
