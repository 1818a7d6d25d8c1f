//! Memory and swap (kernel `cgroup-v2.rst`, "Memory"; `cgroup-v1/memory.rst`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::directory::Directory;
use super::pressure::{self, Pressure};
use super::{is_zero, table};
use crate::error::Result;

/// Memory of a container, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Pages of files.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache: u64,
    /// All memory.
    pub usage: MemoryEntry,
    /// Memory and swap together.
    pub swap: MemoryEntry,
    /// Of the kernel (v1).
    pub kernel: MemoryEntry,
    /// Buffers of TCP (v1).
    #[serde(rename = "kernelTCP")]
    pub kernel_tcp: MemoryEntry,
    /// `memory.stat`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub raw: BTreeMap<String, u64>,
    /// What was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

/// One kind of memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MemoryEntry {
    /// How much there may be; no limit is the largest number.
    pub limit: u64,
    /// How much there is.
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    /// The most there was.
    #[serde(skip_serializing_if = "is_zero")]
    pub max: u64,
    /// How often the limit was reached (v1).
    pub failcnt: u64,
}

pub(super) fn v1(directory: &Directory) -> Result<Memory> {
    let raw = table::words(directory, "memory.stat")?;
    Ok(Memory {
        cache: raw.get("cache").copied().unwrap_or(0),
        usage: entry_v1(directory, "memory")?,
        swap: entry_v1(directory, "memory.memsw")?,
        kernel: entry_v1(directory, "memory.kmem")?,
        kernel_tcp: entry_v1(directory, "memory.kmem.tcp")?,
        raw,
        psi: None,
    })
}

fn entry_v1(directory: &Directory, prefix: &str) -> Result<MemoryEntry> {
    let get = |suffix: &str| table::number_or_zero(directory, &format!("{prefix}.{suffix}"));
    Ok(MemoryEntry {
        limit: get("limit_in_bytes")?,
        usage: get("usage_in_bytes")?,
        max: get("max_usage_in_bytes")?,
        failcnt: get("failcnt")?,
    })
}

pub(super) fn v2(directory: &Directory) -> Result<Memory> {
    let raw = table::words(directory, "memory.stat")?;
    let usage = entry_v2(directory, "memory")?;
    let swap = entry_v2(directory, "memory.swap")?;
    Ok(Memory {
        cache: raw.get("file").copied().unwrap_or(0),
        usage,
        // v2 counts swap alone. The most of a sum does not follow from the most of its parts.
        swap: MemoryEntry {
            limit: if swap.limit == u64::MAX { u64::MAX } else { swap.limit.saturating_add(usage.limit) },
            usage: swap.usage + usage.usage,
            ..MemoryEntry::default()
        },
        kernel: MemoryEntry::default(),
        kernel_tcp: MemoryEntry::default(),
        raw,
        psi: pressure::read(directory, "memory.pressure")?,
    })
}

fn entry_v2(directory: &Directory, prefix: &str) -> Result<MemoryEntry> {
    let get = |suffix: &str| table::number_or_zero(directory, &format!("{prefix}.{suffix}"));
    // The peak came with Linux 5.19.
    Ok(MemoryEntry { limit: get("max")?, usage: get("current")?, max: get("peak")?, failcnt: 0 })
}
