//! `linux.resources.blockIO`: weights and rates of disks (kernel `cgroup-v2.rst`, "IO"; `cgroup-v1/blkio-controller.rst`;
//! `block/bfq-iosched.rst`).

use std::ops::RangeInclusive;

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice, LinuxWeightDevice};

use super::{Version, Write, invalid, unsupported, write};
use crate::error::Result;

const WEIGHT: &str = "linux.resources.blockIO.weight";
const LEAF_WEIGHT: &str = "linux.resources.blockIO.leafWeight";
const WEIGHT_DEVICE: &str = "linux.resources.blockIO.weightDevice";

/// What weights there are (`config-linux.md` before 1.0, and every engine).
const RANGE: RangeInclusive<u16> = 10..=1000;

pub(super) fn add(block_io: &LinuxBlockIo, version: Version, list: &mut Vec<Write>) -> Result<()> {
    if let Some(weight) = given(WEIGHT, block_io.weight())? {
        list.push(weight_write(WEIGHT, version, "", weight));
    }
    if let Some(leaf) = given(LEAF_WEIGHT, block_io.leaf_weight())? {
        list.push(leaf_write(LEAF_WEIGHT, version, "blkio.leaf_weight", leaf.to_string())?);
    }
    for device in block_io.weight_device().iter().flatten() {
        weight_device(device, version, list)?;
    }
    for (field, v1, v2, devices) in [
        ("throttleReadBpsDevice", "read_bps", "rbps", block_io.throttle_read_bps_device()),
        ("throttleWriteBpsDevice", "write_bps", "wbps", block_io.throttle_write_bps_device()),
        ("throttleReadIOPSDevice", "read_iops", "riops", block_io.throttle_read_iops_device()),
        ("throttleWriteIOPSDevice", "write_iops", "wiops", block_io.throttle_write_iops_device()),
    ] {
        let field = format!("linux.resources.blockIO.{field}");
        for device in devices.iter().flatten() {
            list.push(throttle(field.clone(), device, version, v1, v2)?);
        }
    }
    Ok(())
}

/// Zero is unset, as engines mean it.
fn given(field: &str, weight: Option<u16>) -> Result<Option<u16>> {
    match weight.filter(|weight| *weight != 0) {
        Some(weight) if !RANGE.contains(&weight) => Err(invalid(field, weight, "is not between 10 and 1000")),
        other => Ok(other),
    }
}

/// The weight of one device (`8:0 `), or of all. Schedulers come and go: v1 had CFQ's file and has BFQ's; on v2 BFQ's is
/// there while BFQ is loaded, and `io.weight` with the cost model.
fn weight_write(field: &'static str, version: Version, device: &str, weight: u16) -> Write {
    let value = format!("{device}{weight}");
    let suffix = if device.is_empty() { "" } else { "_device" };
    match version {
        Version::V1 => {
            let otherwise = Some((format!("blkio.bfq.weight{suffix}"), value.clone()));
            Write { otherwise, ..write(field, "blkio", format!("blkio.weight{suffix}"), value) }
        }
        Version::V2 => {
            let scaled = format!("{device}{}", weight_of_v2(weight));
            let otherwise = Some(("io.weight".to_owned(), scaled));
            Write { otherwise, ..write(field, "io", "io.bfq.weight", value) }
        }
    }
}

/// `io.weight`, 1 to 10000, for a weight between 10 and 1000: linear, as runtimes agree.
pub(in crate::cgroup) fn weight_of_v2(weight: u16) -> u64 {
    1 + (u64::from(weight).saturating_sub(10)) * 9999 / 990
}

fn leaf_write(field: &'static str, version: Version, file: &str, value: String) -> Result<Write> {
    match version {
        Version::V1 => Ok(write(field, "blkio", file, value)),
        Version::V2 => Err(unsupported(field, value, "cgroup v2 has no weight of leaves")),
    }
}

fn weight_device(device: &LinuxWeightDevice, version: Version, list: &mut Vec<Write>) -> Result<()> {
    let name = name(WEIGHT_DEVICE, device.major(), device.minor())?;
    let (weight, leaf) = (given(WEIGHT_DEVICE, device.weight())?, given(WEIGHT_DEVICE, device.leaf_weight())?);
    if weight.is_none() && leaf.is_none() {
        return Err(invalid(WEIGHT_DEVICE, name, "has neither weight nor leafWeight"));
    }
    if let Some(weight) = weight {
        list.push(weight_write(WEIGHT_DEVICE, version, &format!("{name} "), weight));
    }
    if let Some(leaf) = leaf {
        let value = format!("{name} {leaf}");
        list.push(leaf_write(WEIGHT_DEVICE, version, "blkio.leaf_weight_device", value)?);
    }
    Ok(())
}

/// A rate of zero takes the limit away, as v1 has it.
fn throttle(field: String, device: &LinuxThrottleDevice, version: Version, v1: &str, v2: &str) -> Result<Write> {
    let name = name(&field, device.major(), device.minor())?;
    let rate = device.rate();
    Ok(match version {
        Version::V1 => write(field, "blkio", format!("blkio.throttle.{v1}_device"), format!("{name} {rate}")),
        Version::V2 if rate == 0 => write(field, "io", "io.max", format!("{name} {v2}=max")),
        Version::V2 => write(field, "io", "io.max", format!("{name} {v2}={rate}")),
    })
}

fn name(field: &str, major: i64, minor: i64) -> Result<String> {
    let name = format!("{major}:{minor}");
    if major < 0 || minor < 0 {
        return Err(invalid(field, name, "is no device"));
    }
    Ok(name)
}
