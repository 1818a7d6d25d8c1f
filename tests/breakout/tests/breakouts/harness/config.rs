//! The configuration that every container begins with: what an engine gives to an unprivileged container (runtime-spec
//! 1.0, which every runtime knows), with Docker's capabilities, masks and read-only paths.

use serde_json::{Value, json};

/// What must read as empty.
pub(super) const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// The configuration of a container in the cgroup of this name.
pub(super) fn unprivileged(cgroup: &str) -> Value {
    let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"].map(|kind| json!({"type": kind}));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["true"],
            "env": ["PATH=/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {"bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES},
        },
        "root": {"path": "rootfs", "readonly": false},
        "hostname": "breakout",
        "mounts": mounts(),
        "linux": {
            "resources": {"devices": devices()},
            "cgroupsPath": format!("/{cgroup}"),
            "namespaces": namespaces,
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    })
}

fn mounts() -> Value {
    let mount = |to: &str, kind: &str, source: &str, options: &str| json!({"destination": to, "type": kind, "source": source, "options": options.split(',').collect::<Vec<_>>()});
    json!([
        mount("/proc", "proc", "proc", "nosuid,noexec,nodev"),
        mount("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
        mount("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"),
        mount("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"),
        mount("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
        mount("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"),
    ])
}

/// Docker's rules: nothing, but files may be made, and the harmless ones and terminals may be used.
fn devices() -> Value {
    let rule = |kind: &str, major: i64, minor: Option<i64>, access: &str| {
        let mut rule = json!({"allow": true, "type": kind, "major": major, "access": access});
        if let Some(minor) = minor {
            rule["minor"] = json!(minor);
        }
        rule
    };
    let mut rules = vec![
        json!({"allow": false, "access": "rwm"}),
        json!({"allow": true, "type": "c", "access": "m"}),
        json!({"allow": true, "type": "b", "access": "m"}),
    ];
    for minor in [3, 5, 7, 8, 9] {
        rules.push(rule("c", 1, Some(minor), "rwm"));
    }
    rules.extend([
        rule("c", 5, Some(0), "rwm"),
        rule("c", 5, Some(1), "rwm"),
        rule("c", 5, Some(2), "rwm"),
        rule("c", 136, None, "rwm"),
    ]);
    json!(rules)
}
