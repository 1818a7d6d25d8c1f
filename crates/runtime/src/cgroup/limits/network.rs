//! `linux.resources.network` (kernel `cgroup-v1/net_cls.rst`, `cgroup-v1/net_prio.rst`). v2 has no such controllers.

use oci_spec::runtime::LinuxNetwork;

use super::{Version, Write, invalid, unsupported, write};
use crate::error::Result;

const CLASS: &str = "linux.resources.network.classID";
const PRIORITIES: &str = "linux.resources.network.priorities";
const LACKING: &str = "cgroup v2 does not mark packets; a firewall can tell its cgroups apart";

pub(super) fn add(network: &LinuxNetwork, version: Version, list: &mut Vec<Write>) -> Result<()> {
    if let Some(class) = network.class_id().filter(|class| *class != 0) {
        if version == Version::V2 {
            return Err(unsupported(CLASS, class, LACKING));
        }
        list.push(write(CLASS, "net_cls", "net_cls.classid", class.to_string()));
    }
    for priority in network.priorities().iter().flatten() {
        let value = format!("{} {}", priority.name(), priority.priority());
        if priority.name().is_empty() || priority.name().contains(char::is_whitespace) {
            return Err(invalid(PRIORITIES, format!("{value:?}"), "has no name of an interface"));
        }
        if version == Version::V2 {
            return Err(unsupported(PRIORITIES, value, LACKING));
        }
        list.push(write(PRIORITIES, "net_prio", "net_prio.ifpriomap", value));
    }
    Ok(())
}
