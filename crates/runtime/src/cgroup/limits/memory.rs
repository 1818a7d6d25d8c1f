//! `linux.resources.memory`: `memory.max`, `memory.swap.max`, `memory.low` of v2; `memory.limit_in_bytes`,
//! `memory.memsw.limit_in_bytes` and others of v1 (kernel `cgroup-v1/memory.rst`).

use oci_spec::runtime::LinuxMemory;

use super::{Missing, Order, Present, Version, Write, invalid, unsupported, write};
use crate::error::Result;

const LIMIT: &str = "linux.resources.memory.limit";
const SWAP: &str = "linux.resources.memory.swap";
const RESERVATION: &str = "linux.resources.memory.reservation";

/// Says that there is no limit.
const UNLIMITED: i64 = -1;

/// On v1 the limit of memory must not be above that of memory and swap at any moment.
const SET: Order = Order::Set("memory and swap");

/// The fields that are numbers of bytes; None is unset.
struct Bytes {
    limit: Option<i64>,
    reservation: Option<i64>,
    swap: Option<i64>,
}

pub(super) fn add(memory: &LinuxMemory, version: Version, present: &Present, list: &mut Vec<Write>) -> Result<()> {
    let bytes = Bytes {
        limit: given(LIMIT, memory.limit())?,
        reservation: given(RESERVATION, memory.reservation())?,
        swap: given(SWAP, memory.swap())?,
    };
    match version {
        Version::V1 => {
            if let (Some(limit), Some(swap)) = (bytes.limit, bytes.swap)
                && swap != UNLIMITED
                && limit != UNLIMITED
            {
                difference(swap, limit)?;
            }
            v1(&bytes, list);
            v1_behaviour(memory, list)
        }
        Version::V2 => {
            refuse_v1_behaviour(memory)?;
            if memory.check_before_update() == Some(true) {
                check_usage(&bytes, present)?;
            }
            v2(&bytes, present, list)
        }
    }
}

/// Zero is unset, as engines mean it.
fn given(field: &str, bytes: Option<i64>) -> Result<Option<i64>> {
    match bytes {
        Some(bytes) if bytes < UNLIMITED => Err(invalid(field, bytes, "is no number of bytes, and not -1")),
        other => Ok(other.filter(|bytes| *bytes != 0)),
    }
}

fn v1(bytes: &Bytes, list: &mut Vec<Write>) {
    if let Some(limit) = bytes.limit {
        let limit = write(LIMIT, "memory", "memory.limit_in_bytes", limit.to_string());
        list.push(Write { order: SET, ..limit });
    }
    // Without a limit of memory there is none of both together.
    let (swap, missing) = match (bytes.swap, bytes.limit) {
        (None, Some(UNLIMITED)) => (Some(UNLIMITED), Missing::Skip),
        (Some(UNLIMITED), _) => (bytes.swap, Missing::Skip),
        _ => (bytes.swap, Missing::SkipWithoutSwap),
    };
    if let Some(swap) = swap {
        let swap = write(SWAP, "memory", "memory.memsw.limit_in_bytes", swap.to_string());
        list.push(Write { order: SET, missing, ..swap });
    }
    if let Some(reservation) = bytes.reservation {
        list.push(write(RESERVATION, "memory", "memory.soft_limit_in_bytes", reservation.to_string()));
    }
}

fn v2(bytes: &Bytes, present: &Present, list: &mut Vec<Write>) -> Result<()> {
    let file = |bytes: i64| if bytes == UNLIMITED { "max".to_owned() } else { bytes.to_string() };
    // Swap comes first: where it grows, what a lower limit of memory pushes out has somewhere to go.
    if let Some(swap) = swap_alone(bytes.swap, bytes.limit, present.memory_limit)? {
        let none_or_all = swap == 0 || swap == UNLIMITED;
        let missing = if none_or_all { Missing::Skip } else { Missing::SkipWithoutSwap };
        list.push(Write { missing, ..write(SWAP, "memory", "memory.swap.max", file(swap)) });
    }
    if let Some(limit) = bytes.limit {
        list.push(write(LIMIT, "memory", "memory.max", file(limit)));
    }
    if let Some(reservation) = bytes.reservation {
        list.push(write(RESERVATION, "memory", "memory.low", file(reservation)));
    }
    Ok(())
}

/// The limit of swap alone, in bytes, for v2: the field means memory and swap together. -1 is no limit.
///
/// # Errors
/// `Invalid` for a sum below the limit of memory, or without one.
pub(in crate::cgroup) fn swap_alone(
    swap: Option<i64>,
    limit: Option<i64>,
    present: Option<i64>,
) -> Result<Option<i64>> {
    let swap = swap.filter(|swap| *swap != 0);
    let limit = limit.filter(|limit| *limit != 0);
    match (swap, limit.or(present)) {
        (None, _) if limit == Some(UNLIMITED) => Ok(Some(UNLIMITED)),
        (None, _) => Ok(None),
        (Some(UNLIMITED), _) => Ok(Some(UNLIMITED)),
        (Some(swap), None) => Err(invalid(SWAP, swap, "is memory and swap together, so it needs memory.limit")),
        (Some(swap), Some(UNLIMITED)) => Ok(Some(swap)),
        (Some(swap), Some(limit)) => difference(swap, limit).map(Some),
    }
}

fn difference(swap: i64, limit: i64) -> Result<i64> {
    if swap < limit {
        return Err(invalid(SWAP, swap, format!("is memory and swap together, so not below memory.limit {limit}")));
    }
    Ok(swap - limit)
}

/// The kernel refuses a v1 limit that is below what is in use, and kills on v2; a caller can ask for the former.
fn check_usage(bytes: &Bytes, present: &Present) -> Result<()> {
    let Some(usage) = present.memory_usage else { return Ok(()) };
    for (field, bytes) in [(LIMIT, bytes.limit), (SWAP, bytes.swap)] {
        if let Some(bytes) = bytes.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes <= usage) {
            return Err(invalid(field, bytes, format!("is not above the {usage} bytes in use")));
        }
    }
    Ok(())
}

fn v1_behaviour(memory: &LinuxMemory, list: &mut Vec<Write>) -> Result<()> {
    let mut add = |field: &'static str, file: &str, value: String, missing| {
        list.push(Write { missing, ..write(field, "memory", file, value) });
    };
    if let Some(hierarchy) = memory.use_hierarchy() {
        // Since Linux 5.11 there is nothing else.
        let missing = if hierarchy { Missing::Skip } else { Missing::Refuse };
        let value = u8::from(hierarchy).to_string();
        add("linux.resources.memory.useHierarchy", "memory.use_hierarchy", value, missing);
    }
    if let Some(swappiness) = swappiness(memory)? {
        let file = "memory.swappiness";
        add("linux.resources.memory.swappiness", file, swappiness.to_string(), Missing::Refuse);
    }
    if let Some(disable) = memory.disable_oom_killer() {
        let missing = if disable { Missing::Refuse } else { Missing::Skip };
        let value = u8::from(disable).to_string();
        add("linux.resources.memory.disableOOMKiller", "memory.oom_control", value, missing);
    }
    Ok(())
}

/// -1, which some engines put into the unsigned field, is unset.
fn swappiness(memory: &LinuxMemory) -> Result<Option<u64>> {
    match memory.swappiness().filter(|swappiness| *swappiness != u64::MAX) {
        Some(swappiness) if swappiness > 100 => {
            Err(invalid("linux.resources.memory.swappiness", swappiness, "is not between 0 and 100"))
        }
        other => Ok(other),
    }
}

fn refuse_v1_behaviour(memory: &LinuxMemory) -> Result<()> {
    if let Some(swappiness) = swappiness(memory)? {
        let field = "linux.resources.memory.swappiness";
        return Err(unsupported(field, swappiness, "cgroup v2 has no swappiness; memory.swap limits swap"));
    }
    if memory.disable_oom_killer() == Some(true) {
        return Err(unsupported("linux.resources.memory.disableOOMKiller", true, "cgroup v2 cannot"));
    }
    if memory.use_hierarchy() == Some(false) {
        return Err(unsupported("linux.resources.memory.useHierarchy", false, "cgroup v2 is always hierarchical"));
    }
    Ok(())
}
