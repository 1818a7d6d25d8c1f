//! Small configurations that ask for one thing, and whether they can be planned.

use std::path::Path;

use oci_spec::runtime::{Arch, LinuxSeccomp, Spec};
use runtime::plan::{Context, Plan, knows_mount_option};
use runtime::protocol::Rootfs;
use runtime::seccomp;
use serde_json::{Value, json};

use crate::typed::typed;
use crate::verbs::SPEC_VERSION;

/// A container without anything.
fn plain() -> Value {
    json!({
        "ociVersion": SPEC_VERSION,
        "process": {"cwd": "/", "args": ["true"], "user": {"uid": 0, "gid": 0}},
        "root": {"path": "/"},
        "linux": {"namespaces": [{"type": "mount"}, {"type": "network"}]},
    })
}

fn can_be_planned(config: &Value) -> bool {
    let Ok(spec) = typed::<Spec>(config) else { return false };
    let rootfs = Rootfs::Directory("/".into());
    Plan::container(&spec, &Context::new("one", &rootfs, Path::new("/"))).is_ok()
}

/// A hook of this kind.
pub(super) fn hook(name: &str) -> bool {
    let mut config = plain();
    config["hooks"][name] = json!([{"path": "/bin/true"}]);
    let read = typed::<Spec>(&config).map(|spec| spec.hooks().clone());
    // What the specification has no field for would be left out in silence.
    read.is_ok_and(|hooks| hooks.is_some_and(|hooks| hooks != oci_spec::runtime::Hooks::default()))
        && can_be_planned(&config)
}

/// An option of a mount. The words that are left to file systems are not among them.
pub(super) fn mount_option(name: &str) -> bool {
    knows_mount_option(name)
}

/// A mount with maps of its own.
pub(super) fn id_mapped_mount() -> bool {
    let map = json!([{"containerID": 0, "hostID": 1000, "size": 1000}]);
    let mut config = plain();
    config["mounts"] = json!([{
        "destination": "/mnt", "type": "bind", "source": "/", "options": ["rbind"], "uidMappings": map, "gidMappings": map,
    }]);
    config["linux"]["namespaces"] = json!([{"type": "mount"}, {"type": "user"}]);
    config["linux"]["uidMappings"] = map.clone();
    config["linux"]["gidMappings"] = map;
    can_be_planned(&config)
}

/// A namespace.
pub(super) fn namespace(kind: &str) -> bool {
    let mut config = plain();
    config["linux"] = json!({"namespaces": [{"type": "mount"}, {"type": kind}]});
    if kind == "mount" {
        config["linux"] = json!({"namespaces": [{"type": kind}]});
    } else if kind == "user" {
        let map = json!([{"containerID": 0, "hostID": 1000, "size": 1000}]);
        config["linux"]["uidMappings"] = map.clone();
        config["linux"]["gidMappings"] = map;
    }
    can_be_planned(&config)
}

/// Fields of `linux`.
pub(super) fn linux(fields: &Value) -> bool {
    let mut config = plain();
    for (name, value) in fields.as_object().into_iter().flatten() {
        config["linux"][name] = value.clone();
    }
    can_be_planned(&config)
}

/// A field of `process` that is text.
pub(super) fn process(field: &str, text: &str) -> bool {
    let mut config = plain();
    config["process"][field] = json!(text);
    can_be_planned(&config)
}

fn can_be_compiled(profile: &Value) -> bool {
    typed::<LinuxSeccomp>(profile).is_ok_and(|profile| seccomp::compile(&profile).is_ok())
}

/// An action of a rule.
pub(super) fn filter_action(action: &str) -> bool {
    can_be_compiled(&json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["getpid"], "action": action}]}))
}

/// A comparison of an argument.
pub(super) fn filter_operator(operator: &str) -> bool {
    let argument = json!({"index": 0, "value": 1, "valueTwo": 1, "op": operator});
    let rule = json!({"names": ["close"], "action": "SCMP_ACT_ALLOW", "args": [argument]});
    can_be_compiled(&json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}))
}

/// An architecture whose calls can be told apart.
pub(super) fn filter_architecture(name: &str) -> bool {
    let arch = serde_json::from_value::<Arch>(name.into());
    arch.is_ok_and(|arch| seccomp::syscalls::Architecture::of(arch).is_some())
}

/// A flag of a filter.
pub(super) fn filter_flag(flag: &str) -> bool {
    can_be_compiled(&json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": [flag]}))
}
