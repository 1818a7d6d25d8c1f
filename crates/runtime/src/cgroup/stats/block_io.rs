//! Block devices (kernel `cgroup-v2.rst`, `io.stat`; `cgroup-v1/blkio-controller.rst`).

use serde::Serialize;

use super::super::directory::Directory;
use super::is_zero;
use super::pressure::{self, Pressure};
use crate::error::Result;

/// What was read and written, by device and operation.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockIo {
    /// Bytes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_bytes_recursive: Vec<BlockIoEntry>,
    /// Requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_serviced_recursive: Vec<BlockIoEntry>,
    /// Requests that wait (v1).
    #[serde(skip_serializing_if = "Vec::is_empty", rename = "ioQueueRecursive")]
    pub io_queued_recursive: Vec<BlockIoEntry>,
    /// Nanoseconds at the device (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_service_time_recursive: Vec<BlockIoEntry>,
    /// Nanoseconds in queues (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_wait_time_recursive: Vec<BlockIoEntry>,
    /// Requests made one (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_merged_recursive: Vec<BlockIoEntry>,
    /// Milliseconds for which the device was this container's (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_time_recursive: Vec<BlockIoEntry>,
    /// Sectors (v1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sectors_recursive: Vec<BlockIoEntry>,
    /// What was waited for (v2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

/// One number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BlockIoEntry {
    /// Of the device.
    #[serde(skip_serializing_if = "is_zero")]
    pub major: u64,
    /// Of the device.
    #[serde(skip_serializing_if = "is_zero")]
    pub minor: u64,
    /// `Read`, `Write`, on v1 also `Sync`, `Async`, `Discard`, `Total`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// How much.
    #[serde(skip_serializing_if = "is_zero")]
    pub value: u64,
}

/// The first of these that has numbers: BFQ's, those of CFQ (before Linux 5.0), those of the throttle.
const V1_PREFIXES: [&str; 3] = ["blkio.bfq.", "blkio.", "blkio.throttle."];

pub(super) fn v1(directory: &Directory) -> Result<BlockIo> {
    for prefix in V1_PREFIXES {
        let get = |name: &str| directory.find(&format!("{prefix}{name}_recursive")).map(|text| text.map(|t| table(&t)));
        let Some(serviced) = get("io_serviced")?.filter(|rows| !rows.is_empty()) else { continue };
        let or_empty = |name| get(name).map(Option::unwrap_or_default);
        return Ok(BlockIo {
            io_service_bytes_recursive: or_empty("io_service_bytes")?,
            io_serviced_recursive: serviced,
            io_queued_recursive: or_empty("io_queued")?,
            io_service_time_recursive: or_empty("io_service_time")?,
            io_wait_time_recursive: or_empty("io_wait_time")?,
            io_merged_recursive: or_empty("io_merged")?,
            io_time_recursive: or_empty("time")?,
            sectors_recursive: or_empty("sectors")?,
            psi: None,
        });
    }
    Ok(BlockIo::default())
}

/// Rows of `8:0 Read 4096` or `8:0 7`; the sum over all devices at the end is left out.
pub(super) fn table(text: &str) -> Vec<BlockIoEntry> {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = words.next()?.split_once(':')?;
        let (first, second) = (words.next()?, words.next());
        let (op, value) = second.map_or(("", first), |value| (first, value));
        let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
        Some(BlockIoEntry { major, minor, op: op.to_owned(), value: value.parse().ok()? })
    };
    text.lines().filter_map(row).collect()
}

pub(super) fn v2(directory: &Directory) -> Result<BlockIo> {
    let mut stats = stat_v2(&directory.find("io.stat")?.unwrap_or_default());
    stats.psi = pressure::read(directory, "io.pressure")?;
    Ok(stats)
}

/// Rows of `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`.
pub(super) fn stat_v2(text: &str) -> BlockIo {
    let mut stats = BlockIo::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let device = words.next().and_then(|device| device.split_once(':'));
        let Some((Ok(major), Ok(minor))) = device.map(|(major, minor)| (major.parse(), minor.parse())) else {
            continue;
        };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let (list, op) = match key {
                "rbytes" => (&mut stats.io_service_bytes_recursive, "Read"),
                "wbytes" => (&mut stats.io_service_bytes_recursive, "Write"),
                "rios" => (&mut stats.io_serviced_recursive, "Read"),
                "wios" => (&mut stats.io_serviced_recursive, "Write"),
                _ => continue,
            };
            let value = value.parse().unwrap_or(0);
            list.push(BlockIoEntry { major, minor, op: op.to_owned(), value });
        }
    }
    stats
}
