//! Huge pages (kernel `cgroup-v1/hugetlb.rst`; `cgroup-v2.rst`, "HugeTLB").

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::directory::Directory;
use super::super::limits::Version;
use super::{is_zero, table};
use crate::error::Result;

/// Huge pages of one size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HugePages {
    /// Bytes reserved, or used where the kernel does not count reservations.
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    /// The most there were (v1).
    #[serde(skip_serializing_if = "is_zero")]
    pub max: u64,
    /// How often the limit was reached.
    pub failcnt: u64,
}

/// By size, for the sizes that the cgroup has files for.
pub(super) fn all(directory: &Directory) -> Result<BTreeMap<String, HugePages>> {
    let usage = match directory.version {
        Version::V1 => ".usage_in_bytes",
        Version::V2 => ".current",
    };
    let names = std::fs::read_dir(&directory.path).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let size = |name: String| name.strip_prefix("hugetlb.")?.strip_suffix(usage).map(str::to_owned);
    let sizes = names.filter_map(size).filter(|size| !size.contains('.'));
    sizes.map(|size| read(directory, &size).map(|pages| (size, pages))).collect()
}

fn read(directory: &Directory, size: &str) -> Result<HugePages> {
    let either = |suffix: &str| match table::number(directory, &format!("hugetlb.{size}.rsvd.{suffix}")) {
        Ok(None) => table::number_or_zero(directory, &format!("hugetlb.{size}.{suffix}")),
        other => other.map(Option::unwrap_or_default),
    };
    match directory.version {
        Version::V1 => Ok(HugePages {
            usage: either("usage_in_bytes")?,
            max: either("max_usage_in_bytes")?,
            failcnt: either("failcnt")?,
        }),
        Version::V2 => {
            let events = table::words(directory, &format!("hugetlb.{size}.events"))?;
            Ok(HugePages { usage: either("current")?, max: 0, failcnt: events.get("max").copied().unwrap_or(0) })
        }
    }
}
