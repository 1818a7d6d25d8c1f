//! Docker's lists: what of /proc and /sys a container does not see or cannot change, and the kernel settings of its
//! namespaces.

use std::collections::HashMap;

use crate::config::ContainerConfig;

/// What reads as empty. `/proc/interrupts` and the throttle counters of [`masked_paths`] leak what other containers do
/// (GHSA-6fw5-f8r9-fgfm), `powercap` what they compute (CVE-2020-8694).
const MASKED_PATHS: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What can be read and not written.
pub(crate) const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The masked paths on a host where the first `throttled_cpus` CPUs count how often they were throttled.
pub(crate) fn masked_paths(throttled_cpus: usize) -> Vec<String> {
    let throttle = (0..throttled_cpus).map(|cpu| format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle"));
    MASKED_PATHS.into_iter().map(str::to_owned).chain(throttle).collect()
}

/// Lets processes without capabilities bind low ports and send pings, as docker does since 20.10: both reach no further
/// than the container's own network namespace, so the host's is left alone.
///
/// What the user sets comes after it, and in its place.
pub(super) fn sysctl(config: &ContainerConfig) -> Option<HashMap<String, String>> {
    let settings = [("net.ipv4.ip_unprivileged_port_start", "0"), ("net.ipv4.ping_group_range", "0 2147483647")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let defaults = settings.into_iter().filter(|_| config.network.is_own());
    let all: HashMap<String, String> = defaults.chain(config.sysctls.clone()).collect();
    (!all.is_empty()).then_some(all)
}
