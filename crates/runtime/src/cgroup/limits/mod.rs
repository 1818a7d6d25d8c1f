//! Limits of a configuration (`linux.resources`, runtime-spec `config-linux.md`) as values to write into files of a
//! cgroup: a pure function of the configuration, the version of the hierarchy and what the cgroup holds at present.
//!
//! Nothing is ignored in silence. A value that means nothing is `Invalid`, one that the version lacks `Unsupported`, each
//! with field, value and reason. Three things are accepted and do nothing, as with every runtime: zero where it means
//! "unset" (all fields of `memory`, `shares`, `quota`, `period`, weights, `classID`), and `memory.kernel` and
//! `memory.kernelTCP`, which kernels no longer limit.

mod block_io;
mod cpu;
mod huge_pages;
mod memory;
mod network;
mod pids;
mod rdma;
mod unified;

use std::borrow::Cow;

use oci_spec::runtime::LinuxResources;

use crate::error::{Error, ErrorKind, Result};
pub(super) use block_io::weight_of_v2 as io_weight;
pub(super) use cpu::weight_of_shares;
pub(super) use memory::swap_alone;
pub(super) use pids::value as pids_value;

/// Which of the two interfaces a hierarchy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// One hierarchy for some controllers (kernel `cgroup-v1/`).
    V1,
    /// The unified hierarchy (kernel `cgroup-v2.rst`).
    V2,
}

/// What to do where the file of a limit does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The limit cannot be set: an error.
    Refuse,
    /// The value is what a kernel without the file does anyway, or another write has set the limit.
    Skip,
    /// A limit of swap: nothing is lost if the host has no swap.
    SkipWithoutSwap,
}

/// How a write goes together with its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// It stands for itself.
    Alone,
    /// The kernel checks values of a set against one another. What is refused as invalid is tried again when the others of
    /// the set are written: that finds the order for raising and for lowering, whatever the values are now.
    Set(&'static str),
}

/// One value for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    /// The field of the configuration, for people.
    pub(super) field: Cow<'static, str>,
    /// The controller that has the file.
    pub(super) controller: Cow<'static, str>,
    /// File name in the cgroup's directory.
    pub(super) file: String,
    /// What is written.
    pub(super) value: String,
    /// File and value where the kernel lacks `file`.
    pub(super) otherwise: Option<(String, String)>,
    /// What to do where the kernel has none.
    pub(super) missing: Missing,
    /// How it goes together with others.
    pub(super) order: Order,
}

/// What a cgroup holds before it is changed. A new one holds nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Present {
    /// The limit of memory in bytes, -1 for none; None if there is no such cgroup yet.
    pub(super) memory_limit: Option<i64>,
    /// Memory in use, in bytes.
    pub(super) memory_usage: Option<u64>,
    /// The first word of `cpu.max`.
    pub(super) quota: Option<String>,
    /// The period that the quota is counted in, in microseconds.
    pub(super) period: Option<u64>,
}

/// Everything to be written, in order.
pub(super) fn writes(resources: &LinuxResources, version: Version, present: &Present) -> Result<Vec<Write>> {
    let mut list = Vec::new();
    if let Some(memory) = resources.memory() {
        memory::add(memory, version, present, &mut list)?;
    }
    if let Some(cpu) = resources.cpu() {
        cpu::add(cpu, version, present, &mut list)?;
    }
    if let Some(pids) = resources.pids() {
        list.push(write("linux.resources.pids.limit", "pids", "pids.max", pids::value(pids.limit())));
    }
    if let Some(block_io) = resources.block_io() {
        block_io::add(block_io, version, &mut list)?;
    }
    for limit in resources.hugepage_limits().iter().flatten() {
        huge_pages::add(limit, version, &mut list)?;
    }
    if let Some(network) = resources.network() {
        network::add(network, version, &mut list)?;
    }
    rdma::add(resources.rdma().as_ref(), &mut list)?;
    // Last, so that these win.
    unified::add(resources.unified().as_ref(), version, &mut list)?;
    Ok(list)
}

/// A write that stands for itself and must be possible.
fn write(
    field: impl Into<Cow<'static, str>>,
    controller: impl Into<Cow<'static, str>>,
    file: impl Into<String>,
    value: impl Into<String>,
) -> Write {
    Write {
        field: field.into(),
        controller: controller.into(),
        file: file.into(),
        value: value.into(),
        otherwise: None,
        missing: Missing::Refuse,
        order: Order::Alone,
    }
}

fn invalid(field: &str, value: impl std::fmt::Display, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("{field} {value}: {why}"))
}

fn unsupported(field: &str, value: impl std::fmt::Display, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{field} {value}: {why}"))
}

#[cfg(test)]
mod tests;
