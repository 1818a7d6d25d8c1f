//! `linux.resources.cpu`: weight, bandwidth, real-time bandwidth, and which processors and memory nodes
//! (kernel `cgroup-v2.rst`, "CPU" and "Cpuset"; `scheduler/sched-bwc.rst`, `scheduler/sched-rt-group.rst`).

use std::ops::RangeInclusive;

use oci_spec::runtime::LinuxCpu;

use super::{Missing, Order, Present, Version, Write, invalid, unsupported, write};
use crate::error::Result;

const SHARES: &str = "linux.resources.cpu.shares";
const QUOTA: &str = "linux.resources.cpu.quota";
const PERIOD: &str = "linux.resources.cpu.period";
const BURST: &str = "linux.resources.cpu.burst";
const IDLE: &str = "linux.resources.cpu.idle";

/// What v1 takes as `cpu.shares`.
const SHARES_RANGE: RangeInclusive<u64> = 2..=262_144;
/// What the kernel takes as a period, in microseconds.
const PERIOD_RANGE: RangeInclusive<u64> = 1_000..=1_000_000;
/// The smallest quota the kernel takes, in microseconds.
const SMALLEST_QUOTA: i64 = 1_000;

/// The weight of an idle group is fixed, so that it must be set before, or after idling ends.
const WEIGHT: Order = Order::Set("weight");
/// Quota, period and burst are checked against one another and against the parent's.
const BANDWIDTH: Order = Order::Set("bandwidth");
/// So are these two.
const REALTIME: Order = Order::Set("real-time bandwidth");

pub(super) fn add(cpu: &LinuxCpu, version: Version, present: &Present, list: &mut Vec<Write>) -> Result<()> {
    weight(cpu, version, list)?;
    let bandwidth = Bandwidth::of(cpu)?;
    match version {
        Version::V1 => bandwidth.v1(list),
        Version::V2 => bandwidth.v2(present, list),
    }
    realtime(cpu, version, list)?;
    for (field, file, value) in [
        ("linux.resources.cpu.cpus", "cpuset.cpus", cpu.cpus()),
        ("linux.resources.cpu.mems", "cpuset.mems", cpu.mems()),
    ] {
        if let Some(value) = value.as_ref().filter(|value| !value.trim().is_empty()) {
            if !is_list(value) {
                return Err(invalid(field, format!("{value:?}"), "is no list such as 0-3,7"));
            }
            list.push(write(field, "cpuset", file, value.clone()));
        }
    }
    Ok(())
}

fn weight(cpu: &LinuxCpu, version: Version, list: &mut Vec<Write>) -> Result<()> {
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        let (file, value) = match version {
            Version::V1 if SHARES_RANGE.contains(&shares) => ("cpu.shares", shares),
            Version::V1 => return Err(invalid(SHARES, shares, "is not between 2 and 262144")),
            Version::V2 => ("cpu.weight", weight_of_shares(shares)),
        };
        list.push(Write { order: WEIGHT, ..write(SHARES, "cpu", file, value.to_string()) });
    }
    match cpu.idle() {
        None => {}
        Some(idle @ (0 | 1)) => {
            // Linux 5.15. No group idles before that.
            let missing = if idle == 0 { Missing::Skip } else { Missing::Refuse };
            list.push(Write { order: WEIGHT, missing, ..write(IDLE, "cpu", "cpu.idle", idle.to_string()) });
        }
        Some(idle) => return Err(invalid(IDLE, idle, "is neither 0 nor 1")),
    }
    Ok(())
}

/// `cpu.weight` (1 to 10000) for `cpu.shares` (2 to 262144): the curve that runtimes agreed on, through both ends and
/// through the defaults, 1024 and 100. Values beyond the ends get the weight of the end.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shares have 19 bits, and the weight lies between 1 and 10000"
)]
pub(in crate::cgroup) fn weight_of_shares(shares: u64) -> u64 {
    match shares {
        0..=2 => 1,
        262_144.. => 10_000,
        _ => {
            let logarithm = (shares as f64).log2();
            let exponent = (logarithm * logarithm + 125.0 * logarithm) / 612.0 - 7.0 / 34.0;
            10_f64.powf(exponent).ceil() as u64
        }
    }
}

/// Time per period, in microseconds.
struct Bandwidth {
    /// -1 is no limit.
    quota: Option<i64>,
    period: Option<u64>,
    burst: Option<u64>,
}

impl Bandwidth {
    fn of(cpu: &LinuxCpu) -> Result<Bandwidth> {
        let quota = cpu.quota().filter(|quota| *quota != 0);
        if let Some(quota) = quota.filter(|quota| *quota != -1 && *quota < SMALLEST_QUOTA) {
            return Err(invalid(QUOTA, quota, "is neither -1 nor at least 1000 microseconds"));
        }
        let period = cpu.period().filter(|period| *period != 0);
        if let Some(period) = period.filter(|period| !PERIOD_RANGE.contains(period)) {
            return Err(invalid(PERIOD, period, "is not between 1000 and 1000000 microseconds"));
        }
        let burst = cpu.burst();
        if let (Some(burst), Some(quota)) = (burst, quota.and_then(|quota| u64::try_from(quota).ok()))
            && burst > quota
        {
            return Err(invalid(BURST, burst, format!("is more than cpu.quota {quota}")));
        }
        Ok(Bandwidth { quota, period, burst })
    }

    fn v1(&self, list: &mut Vec<Write>) {
        let mut add = |write: Write| list.push(Write { order: BANDWIDTH, ..write });
        if let Some(period) = self.period {
            add(write(PERIOD, "cpu", "cpu.cfs_period_us", period.to_string()));
        }
        if let Some(burst) = self.burst {
            add(Write { missing: needed(burst), ..write(BURST, "cpu", "cpu.cfs_burst_us", burst.to_string()) });
        }
        if let Some(quota) = self.quota {
            add(write(QUOTA, "cpu", "cpu.cfs_quota_us", quota.to_string()));
        }
    }

    /// One file for quota and period, where one number leaves the period as it is.
    fn v2(&self, present: &Present, list: &mut Vec<Write>) {
        let mut add = |write: Write| list.push(Write { order: BANDWIDTH, ..write });
        if let Some(burst) = self.burst {
            add(Write { missing: needed(burst), ..write(BURST, "cpu", "cpu.max.burst", burst.to_string()) });
        }
        let quota = self.quota.map(|quota| if quota == -1 { "max".to_owned() } else { quota.to_string() });
        match (quota, self.period) {
            (None, None) => {}
            (Some(quota), None) => add(write(QUOTA, "cpu", "cpu.max", quota)),
            (Some(quota), Some(period)) => add(write(QUOTA, "cpu", "cpu.max", format!("{quota} {period}"))),
            (None, Some(period)) => {
                let quota = present.quota.as_deref().unwrap_or("max");
                add(write(PERIOD, "cpu", "cpu.max", format!("{quota} {period}")));
            }
        }
    }
}

/// Linux 5.14. Nothing bursts before that.
fn needed(burst: u64) -> Missing {
    if burst == 0 { Missing::Skip } else { Missing::Refuse }
}

fn realtime(cpu: &LinuxCpu, version: Version, list: &mut Vec<Write>) -> Result<()> {
    let period = cpu.realtime_period().filter(|period| *period != 0).map(|period| period.to_string());
    let runtime = cpu.realtime_runtime().filter(|runtime| *runtime != 0).map(|runtime| runtime.to_string());
    for (field, file, value) in [
        ("linux.resources.cpu.realtimePeriod", "cpu.rt_period_us", period),
        ("linux.resources.cpu.realtimeRuntime", "cpu.rt_runtime_us", runtime),
    ] {
        match (value, version) {
            (None, _) => {}
            (Some(value), Version::V1) => list.push(Write { order: REALTIME, ..write(field, "cpu", file, value) }),
            (Some(value), Version::V2) => {
                return Err(unsupported(field, value, "cgroup v2 does not divide real-time CPU time"));
            }
        }
    }
    Ok(())
}

/// A list of numbers and ranges with commas, as `cpuset(7)` has it ("List format").
fn is_list(text: &str) -> bool {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    text.trim().split(',').all(|part| match part.split_once('-') {
        None => number(part).is_some(),
        Some((from, to)) => {
            // A range may have a stride: 0-31:2/4.
            let to = to.split_once(':').map_or(to, |(to, _)| to);
            matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to)
        }
    })
}
