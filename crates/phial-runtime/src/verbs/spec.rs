//! `spec`: a configuration to begin with. What it contains is what other runtimes write, so that examples fit.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::SPEC_VERSION;
use crate::command_line::{Global, Words};
use crate::failure::{Failure, Result};

/// Writes `config.json`, unless there is one.
pub(crate) fn run(_global: &Global, words: &Words) -> Result<ExitCode> {
    let path = words.path("bundle").unwrap_or_else(|| PathBuf::from(".")).join("config.json");
    if path.exists() {
        return Err(Failure::new(format!("{} exists: remove it first", path.display())));
    }
    let spec = if words.has("rootless") { rootless() } else { of_root() };
    let text = serde_json::to_string_pretty(&spec).map_err(|error| Failure::system("JSON", error))?;
    std::fs::write(&path, format!("{text}\n")).map_err(|error| Failure::system(path.display(), error))?;
    Ok(ExitCode::SUCCESS)
}

fn of_root() -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": SPEC_VERSION,
        "process": {
            "terminal": true,
            "user": {"uid": 0, "gid": 0},
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "phial",
        "mounts": [
            mount("/proc", "proc", &[]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount_of("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"])
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": namespaces(&["pid", "network", "ipc", "uts", "mount", "cgroup"]),
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

/// For who may not make devices, give network interfaces, or limit anything.
fn rootless() -> Value {
    let mut spec = of_root();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let linux = &mut spec["linux"];
    linux["uidMappings"] = json!([{"containerID": 0, "hostID": uid, "size": 1}]);
    linux["gidMappings"] = json!([{"containerID": 0, "hostID": gid, "size": 1}]);
    linux["namespaces"] = namespaces(&["pid", "ipc", "uts", "mount", "cgroup", "user"]);
    if let Some(linux) = linux.as_object_mut() {
        linux.remove("resources");
    }
    if let Some(mounts) = spec["mounts"].as_array_mut() {
        // The group of terminals is not mapped, and sysfs belongs to the network namespace, which is the host's.
        for mount in mounts {
            if mount["destination"] == "/dev/pts" {
                let options = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
                mount["options"] = json!(options);
            } else if mount["destination"] == "/sys" {
                *mount = mount_of("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]);
            }
        }
    }
    spec
}

fn namespaces(kinds: &[&str]) -> Value {
    kinds.iter().map(|kind| json!({"type": kind})).collect()
}

fn mount(destination: &str, kind: &str, options: &[&str]) -> Value {
    mount_of(destination, kind, kind, options)
}

fn mount_of(destination: &str, kind: &str, source: &str, options: &[&str]) -> Value {
    if options.is_empty() {
        return json!({"destination": destination, "type": kind, "source": source});
    }
    json!({"destination": destination, "type": kind, "source": source, "options": options})
}
