//! `linux.resources.rdma` (kernel `cgroup-v1/rdma.rst`; the file is the same for v2).

use std::collections::HashMap;

use oci_spec::runtime::LinuxRdma;

use super::{Write, invalid, write};
use crate::error::Result;

pub(super) fn add(devices: Option<&HashMap<String, LinuxRdma>>, list: &mut Vec<Write>) -> Result<()> {
    const FIELD: &str = "linux.resources.rdma";
    let mut devices: Vec<_> = devices.into_iter().flatten().collect();
    devices.sort_unstable_by_key(|(name, _)| *name);
    for (name, limits) in devices {
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(invalid(FIELD, format!("{name:?}"), "is no name of a device"));
        }
        let limits = [("hca_handle", limits.hca_handles()), ("hca_object", limits.hca_objects())];
        let words: Vec<String> =
            limits.into_iter().filter_map(|(key, number)| Some(format!("{key}={}", number?))).collect();
        if words.is_empty() {
            return Err(invalid(FIELD, name, "has neither hcaHandles nor hcaObjects"));
        }
        list.push(write(FIELD, "rdma", "rdma.max", format!("{name} {}", words.join(" "))));
    }
    Ok(())
}
