//! `features`: what this program can do, for engines that ask before they rely on it (runtime-spec `features.md`,
//! `features-linux.md`).
//!
//! Nothing here says what is supported: each name of the specification is put into a small configuration, and listed if
//! that can be planned, or if the compiler of filters takes it. So the list cannot be wrong. It is about the program;
//! of the kernel nothing is asked, but for `supportedFlags`, which the specification defines so.

/// Every name that the specification and other runtimes know.
mod names;
/// Small configurations.
mod probe;

use std::process::ExitCode;

use oci_spec::runtime::LinuxSeccompFilterFlag;
use runtime::seccomp;
use serde_json::{Value, json};

use super::SPEC_VERSION;
use crate::command_line::{Global, Words};
use crate::failure::{Result, print_json};

/// The oldest version of the specification whose configurations are understood.
const OLDEST_VERSION: &str = "1.0.0";

/// Annotations of a configuration that reach further than into the container: engines let only trusted callers set them.
/// A dot at the end makes it a prefix.
const UNSAFE_ANNOTATIONS: [&str; 2] = ["org.criu.config", "org.systemd.property."];

/// Prints them.
pub(crate) fn run(_global: &Global, _words: &Words) -> Result<ExitCode> {
    print_json(&features())?;
    Ok(ExitCode::SUCCESS)
}

fn features() -> Value {
    json!({
        "ociVersionMin": OLDEST_VERSION,
        "ociVersionMax": SPEC_VERSION,
        "hooks": kept(&names::HOOKS, probe::hook),
        "mountOptions": kept(&names::MOUNT_OPTIONS, probe::mount_option),
        "linux": linux(),
        "annotations": {"org.opencontainers.runc.checkpoint.enabled": "true", "org.phial.runtime.version": env!("CARGO_PKG_VERSION")},
        "potentiallyUnsafeConfigAnnotations": UNSAFE_ANNOTATIONS,
    })
}

fn linux() -> Value {
    let enabled = |field: Value| json!({"enabled": probe::linux(&field)});
    let labelled = |field: &str| json!({"enabled": probe::process(field, "name")});
    let memory = |policy: Value| probe::linux(&json!({"memoryPolicy": policy}));
    // Some modes need nodes, and the others must have none.
    let mode = |mode: &str| memory(json!({"mode": mode, "nodes": "0"})) || memory(json!({"mode": mode}));
    let modes = kept(&names::MEMORY_MODES, mode);
    let flags = kept(&names::MEMORY_FLAGS, |flag| memory(json!({"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]})));
    json!({
        "namespaces": kept(&names::NAMESPACES, probe::namespace),
        "capabilities": runtime::capability::from_bits(u64::MAX),
        "cgroup": {"v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true},
        "seccomp": filters(),
        "apparmor": labelled("apparmorProfile"),
        "selinux": labelled("selinuxLabel"),
        "intelRdt": {
            "enabled": probe::linux(&json!({"intelRdt": {"l3CacheSchema": "L3:0=f"}})),
            "schemata": probe::linux(&json!({"intelRdt": {"schemata": ["L3:0=f"]}})),
            "monitoring": probe::linux(&json!({"intelRdt": {"enableMonitoring": true}})),
        },
        "memoryPolicy": {"modes": modes, "flags": flags},
        "mountExtensions": {"idmap": {"enabled": probe::id_mapped_mount()}},
        "netDevices": enabled(json!({"netDevices": {"eth0": {}}})),
    })
}

fn filters() -> Value {
    let known = kept(&names::FILTER_FLAGS, probe::filter_flag);
    let supported: Vec<&str> = known.iter().copied().filter(|name| in_kernel(name)).collect();
    json!({
        "enabled": true,
        "actions": kept(&names::ACTIONS, probe::filter_action),
        "operators": kept(&names::OPERATORS, probe::filter_operator),
        "archs": kept(&names::ARCHITECTURES, probe::filter_architecture),
        "knownFlags": known,
        "supportedFlags": supported,
    })
}

/// Whether this kernel has a flag of filters.
fn in_kernel(name: &str) -> bool {
    let flag = serde_json::from_value::<LinuxSeccompFilterFlag>(name.into());
    flag.is_ok_and(|flag| sys::seccomp::has_flag(seccomp::flag(flag)))
}

/// Of some names those that pass.
fn kept(names: &[&'static str], passes: impl Fn(&str) -> bool) -> Vec<&'static str> {
    names.iter().copied().filter(|name| passes(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_what_can_be_planned() {
        let features = features();
        let has = |pointer: &str, name: &str| {
            let list = features.pointer(pointer).and_then(Value::as_array);
            list.unwrap_or_else(|| panic!("{pointer} is no list: {features}")).iter().any(|one| one == name)
        };
        for pointer in ["/linux/mountExtensions/idmap/enabled", "/linux/netDevices/enabled", "/linux/apparmor/enabled"]
        {
            assert_eq!(features.pointer(pointer), Some(&Value::Bool(true)), "{pointer}");
        }
        assert_eq!(features["hooks"].as_array().map(Vec::len), Some(6));
        for (pointer, name) in [
            ("/mountOptions", "rbind"),
            ("/mountOptions", "nosymfollow"),
            ("/linux/namespaces", "mount"),
            ("/linux/namespaces", "user"),
            ("/linux/namespaces", "time"),
            ("/linux/capabilities", "CAP_CHOWN"),
            ("/linux/capabilities", "CAP_CHECKPOINT_RESTORE"),
            ("/linux/memoryPolicy/modes", "MPOL_BIND"),
            ("/linux/memoryPolicy/modes", "MPOL_LOCAL"),
            ("/linux/seccomp/actions", "SCMP_ACT_KILL_PROCESS"),
            ("/linux/seccomp/actions", "SCMP_ACT_NOTIFY"),
            ("/linux/seccomp/operators", "SCMP_CMP_MASKED_EQ"),
            ("/linux/seccomp/archs", "SCMP_ARCH_X86_64"),
            ("/linux/seccomp/knownFlags", "SECCOMP_FILTER_FLAG_TSYNC"),
            ("/linux/seccomp/supportedFlags", "SECCOMP_FILTER_FLAG_LOG"),
        ] {
            assert!(has(pointer, name), "{pointer} lacks {name}");
        }
        // No profile can be compiled for it.
        assert!(!has("/linux/seccomp/archs", "SCMP_ARCH_MIPS"));
        assert!(!has("/mountOptions", "no-such-option"));
    }

    #[test]
    fn the_list_is_one_of_the_specification() {
        let text = features().to_string();
        let read: oci_spec::runtime::Features = serde_json::from_str(&text).expect("as the specification has it");
        assert_eq!(read.oci_version_min(), "1.0.0");
        assert!(read.linux().as_ref().is_some_and(|linux| linux.capabilities().is_some()));
    }
}
