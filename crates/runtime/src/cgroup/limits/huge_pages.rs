//! `linux.resources.hugepageLimits` (kernel `cgroup-v1/hugetlb.rst`; `cgroup-v2.rst`, "`HugeTLB`").

use oci_spec::runtime::LinuxHugepageLimit;

use super::{Missing, Version, Write, invalid, write};
use crate::error::Result;

/// Both what is used and, where the kernel counts them (Linux 5.7), what is reserved get the limit: reservations are what
/// the specification asks for, and pages that nobody reserved must count as well.
pub(super) fn add(limit: &LinuxHugepageLimit, version: Version, list: &mut Vec<Write>) -> Result<()> {
    const LIMIT: &str = "linux.resources.hugepageLimits";
    let size = limit.page_size();
    if !is_size(size) {
        return Err(invalid(LIMIT, format!("{size:?}"), "is no size such as 64KB, 2MB or 1GB"));
    }
    if limit.limit() < 0 {
        return Err(invalid(LIMIT, format!("{size} {}", limit.limit()), "is no number of bytes"));
    }
    let suffix = match version {
        Version::V1 => "limit_in_bytes",
        Version::V2 => "max",
    };
    let bytes = limit.limit().to_string();
    list.push(write(LIMIT, "hugetlb", format!("hugetlb.{size}.{suffix}"), bytes.clone()));
    let reserved = write(LIMIT, "hugetlb", format!("hugetlb.{size}.rsvd.{suffix}"), bytes);
    list.push(Write { missing: Missing::Skip, ..reserved });
    Ok(())
}

/// As the kernel names its files.
fn is_size(text: &str) -> bool {
    let number = ["KB", "MB", "GB"].iter().find_map(|unit| text.strip_suffix(unit));
    number.is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 0) && !number.starts_with(['+', '0']))
}
