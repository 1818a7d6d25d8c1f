//! Limits as properties of a unit (`systemd.resource-control(5)`): a pure function.
//!
//! systemd writes the files of a unit anew whenever it likes, so it must know the limits. What it has no property for is in
//! the files alone, where it leaves it; what an older systemd does not know is left out here and is in the files as well.

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxResources};

use super::bus::Value;
use crate::cgroup::limits::{self, Present, Version};
use crate::error::{Error, ErrorKind, Result};

/// systemd's word for no limit.
const INFINITY: u64 = u64::MAX;

/// The kernel's period in microseconds, if none is given.
const PERIOD: u64 = 100_000;

/// Versions that brought a property.
const HAS_PERIOD: u32 = 242;
const HAS_CPUSET: u32 = 244;
const HAS_IDLE: u32 = 252;

type Properties = Vec<(String, Value)>;

/// The properties for these limits, for a systemd of version `systemd`.
///
/// # Errors
/// As of [`limits::writes`].
pub(super) fn properties(
    resources: &LinuxResources,
    version: Version,
    systemd: u32,
    present: &Present,
) -> Result<Properties> {
    let mut list = Properties::new();
    memory(resources, version, present, &mut list)?;
    if let Some(cpu) = resources.cpu() {
        weight(cpu, version, systemd, &mut list);
        bandwidth(cpu, systemd, present, &mut list);
        for (name, numbers) in [("AllowedCPUs", cpu.cpus()), ("AllowedMemoryNodes", cpu.mems())] {
            let numbers = numbers.as_deref().filter(|numbers| !numbers.trim().is_empty() && systemd >= HAS_CPUSET);
            list.extend(numbers.map(|numbers| (name.to_owned(), Value::Bytes(bits(numbers)))));
        }
    }
    if let Some(pids) = resources.pids() {
        list.push(number("TasksMax", &limits::pids_value(pids.limit())));
    }
    if let Some(weight) = resources.block_io().as_ref().and_then(LinuxBlockIo::weight).filter(|weight| *weight != 0) {
        list.push(match version {
            Version::V1 => ("BlockIOWeight".to_owned(), Value::U64(weight.into())),
            Version::V2 => ("IOWeight".to_owned(), Value::U64(limits::io_weight(weight))),
        });
    }
    let mut files: Vec<_> = resources.unified().iter().flatten().collect();
    files.sort_unstable();
    files.into_iter().try_for_each(|(file, value)| unified(file, value.trim(), systemd, &mut list))?;
    Ok(list)
}

/// systemd counts quotas in whole per cent of a processor. What it will write is what we write, so that the limit does not
/// change when systemd comes round.
pub(super) fn rounded(resources: &LinuxResources, present: &Present) -> LinuxResources {
    let mut resources = resources.clone();
    let Some(mut cpu) = resources.cpu().clone() else { return resources };
    if let Some(quota) = cpu.quota().and_then(|quota| u64::try_from(quota).ok()).filter(|quota| *quota != 0) {
        let period = period(&cpu, present);
        let rounded = per_second(quota, period) * period / 1_000_000;
        cpu.set_quota(i64::try_from(rounded).ok());
    }
    resources.set_cpu(Some(cpu));
    resources
}

fn memory(resources: &LinuxResources, version: Version, present: &Present, list: &mut Properties) -> Result<()> {
    let Some(memory) = resources.memory() else { return Ok(()) };
    let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or(INFINITY);
    let mut add = |name: &str, limit: Option<i64>| {
        list.extend(limit.map(|limit| (name.to_owned(), Value::U64(bytes(limit)))));
    };
    let limit = memory.limit().filter(|limit| *limit != 0);
    match version {
        Version::V1 => add("MemoryLimit", limit),
        Version::V2 => {
            add("MemoryMax", limit);
            add("MemoryLow", memory.reservation().filter(|reservation| *reservation != 0));
            add("MemorySwapMax", limits::swap_alone(memory.swap(), memory.limit(), present.memory_limit)?);
        }
    }
    Ok(())
}

/// Zero is systemd's word for idle.
fn weight(cpu: &LinuxCpu, version: Version, systemd: u32, list: &mut Properties) {
    let shares = cpu.shares().filter(|shares| *shares != 0);
    let idle = cpu.idle() == Some(1) && systemd >= HAS_IDLE && version == Version::V2;
    let property = match (version, shares) {
        _ if idle => Some(("CPUWeight", 0)),
        (_, None) => None,
        (Version::V1, Some(shares)) => Some(("CPUShares", shares)),
        (Version::V2, Some(shares)) => Some(("CPUWeight", limits::weight_of_shares(shares))),
    };
    list.extend(property.map(|(name, weight)| (name.to_owned(), Value::U64(weight))));
}

fn period(cpu: &LinuxCpu, present: &Present) -> u64 {
    cpu.period().filter(|period| *period != 0).or(present.period).unwrap_or(PERIOD)
}

fn bandwidth(cpu: &LinuxCpu, systemd: u32, present: &Present, list: &mut Properties) {
    let given = cpu.period().filter(|period| *period != 0);
    let quota = cpu.quota().filter(|quota| *quota != 0);
    if quota.is_none() && given.is_none() {
        return;
    }
    if let Some(period) = given.filter(|_| systemd >= HAS_PERIOD) {
        list.push(("CPUQuotaPeriodUSec".to_owned(), Value::U64(period)));
    }
    let present_quota = present.quota.as_ref().and_then(|quota| quota.parse::<i64>().ok());
    let quota = quota.or(present_quota).and_then(|quota| u64::try_from(quota).ok());
    let time = quota.map_or(INFINITY, |quota| per_second(quota, period(cpu, present)));
    list.push(("CPUQuotaPerSecUSec".to_owned(), Value::U64(time)));
}

/// Microseconds of processor time per second, in whole per cent.
fn per_second(quota: u64, period: u64) -> u64 {
    const PER_CENT: u64 = 10_000;
    (quota.saturating_mul(1_000_000) / period.max(1)).next_multiple_of(PER_CENT)
}

/// A list of numbers and ranges as a set of bits, the lowest first.
pub(super) fn bits(list: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (to, stride) = to.split_once(':').unwrap_or((to, ""));
        let _ = stride;
        let (Ok(from), Ok(to)) = (from.trim().parse::<u16>(), to.trim().parse::<u16>()) else { continue };
        for number in from..=to {
            let (byte, bit) = (usize::from(number / 8), number % 8);
            bytes.resize(bytes.len().max(byte + 1), 0_u8);
            bytes[byte] |= 1 << bit;
        }
    }
    bytes
}

/// `max` or a number.
fn number(name: &str, text: &str) -> (String, Value) {
    (name.to_owned(), Value::U64(text.parse().unwrap_or(INFINITY)))
}

/// The files that systemd has a property for.
fn unified(file: &str, value: &str, systemd: u32, list: &mut Properties) -> Result<()> {
    let name = match file {
        "cpu.weight" => "CPUWeight",
        "memory.min" => "MemoryMin",
        "memory.low" => "MemoryLow",
        "memory.high" => "MemoryHigh",
        "memory.max" => "MemoryMax",
        "memory.swap.max" => "MemorySwapMax",
        "pids.max" => "TasksMax",
        "cpuset.cpus" | "cpuset.mems" if systemd >= HAS_CPUSET => {
            let name = if file == "cpuset.cpus" { "AllowedCPUs" } else { "AllowedMemoryNodes" };
            list.push((name.to_owned(), Value::Bytes(bits(value))));
            return Ok(());
        }
        "cpu.max" => return cpu_max(value, systemd, list),
        _ => return Ok(()),
    };
    if value != "max" && value.parse::<u64>().is_err() {
        return Err(invalid(file, value, "is neither max nor a number"));
    }
    // systemd takes no zero there.
    let value = if name == "TasksMax" && value == "0" { "1" } else { value };
    list.push(number(name, value));
    Ok(())
}

fn cpu_max(value: &str, systemd: u32, list: &mut Properties) -> Result<()> {
    let mut words = value.split_whitespace();
    let quota = words.next().map_or("max", |word| word);
    let period = words.next().map_or(Ok(PERIOD), str::parse);
    let (Ok(period), true) = (period, quota == "max" || quota.parse::<u64>().is_ok()) else {
        return Err(invalid("cpu.max", value, "is no quota with a period"));
    };
    if systemd >= HAS_PERIOD {
        list.push(("CPUQuotaPeriodUSec".to_owned(), Value::U64(period)));
    }
    let time = quota.parse().map_or(INFINITY, |quota| per_second(quota, period));
    list.push(("CPUQuotaPerSecUSec".to_owned(), Value::U64(time)));
    Ok(())
}

fn invalid(file: &str, value: &str, why: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("linux.resources.unified.{file} {value:?}: {why}"))
}
