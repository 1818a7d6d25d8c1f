//! The cgroups of a new container, made by whom the caller has chosen.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxResources, Spec};
use runtime::ErrorKind;
use runtime::cgroup::{self, Cgroups, Driver, Hierarchy, UnitOptions};

use crate::command_line::{CgroupManager, Global};
use crate::failure::{Failure, Result};

/// The hierarchies that the container gets a cgroup in.
pub(super) fn hierarchies(global: &Global) -> Result<Vec<Hierarchy>> {
    match global.cgroups {
        CgroupManager::Disabled => Ok(Vec::new()),
        CgroupManager::Cgroupfs | CgroupManager::Systemd => Ok(cgroup::detect()?),
    }
}

/// Makes them, with the limits of the configuration.
pub(super) fn make(global: &Global, hierarchies: &[Hierarchy], spec: &Spec, id: &str) -> Result<Cgroups> {
    let linux = spec.linux().as_ref();
    let path = linux.and_then(|linux| linux.cgroups_path().clone());
    let resources = linux.and_then(|linux| linux.resources().as_ref());
    match global.cgroups {
        CgroupManager::Cgroupfs => Ok(create(hierarchies, spec, id)?),
        CgroupManager::Disabled => {
            refuse_limits(resources)?;
            if resources.and_then(|resources| resources.devices().as_ref()).is_some_and(|rules| !rules.is_empty()) {
                let what = "linux.resources.devices: without a cgroup no device is kept from the container";
                global.log.write("warning", what);
            }
            Ok(Cgroups::none())
        }
        CgroupManager::Systemd => {
            let options = UnitOptions { id, annotations: spec.annotations().as_ref(), process: None };
            let path: PathBuf = path.unwrap_or_default();
            Ok(Cgroups::create_with(Driver::Systemd, hierarchies, &path, resources, &options)?)
        }
    }
}

/// As [`make`]; None where the caller may make none and the container can do without. What is wrong in the configuration
/// is an error for everybody.
pub(super) fn make_if_allowed(
    global: &Global,
    hierarchies: &[Hierarchy],
    spec: &Spec,
    id: &str,
) -> Result<Option<Cgroups>> {
    if global.cgroups != CgroupManager::Cgroupfs {
        return make(global, hierarchies, spec, id).map(Some);
    }
    match create(hierarchies, spec, id) {
        Err(error) if error.kind() == ErrorKind::System && may_be_missing(global, spec) => Ok(None),
        made => Ok(Some(made?)),
    }
}

/// Makes them as directories.
fn create(hierarchies: &[Hierarchy], spec: &Spec, id: &str) -> runtime::Result<Cgroups> {
    let linux = spec.linux().as_ref();
    let path = linux.and_then(|linux| linux.cgroups_path().clone()).unwrap_or_else(|| Path::new("/").join(id));
    Cgroups::create(hierarchies, &path, linux.and_then(|linux| linux.resources().as_ref()))
}

/// Whether the container may do without cgroups: who has no right to make any can still have containers, unless they are
/// to be limited. `--rootless` says it of a caller of whom it cannot be seen.
fn may_be_missing(global: &Global, spec: &Spec) -> bool {
    let seen = || !rustix::process::geteuid().is_root() || runtime::idmap::in_user_namespace();
    let unprivileged = global.rootless.unwrap_or_else(seen);
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    unprivileged && refuse_limits(resources).is_ok()
}

/// A limit needs a cgroup.
fn refuse_limits(resources: Option<&LinuxResources>) -> Result<()> {
    let Some(resources) = resources else { return Ok(()) };
    let limits = serde_json::to_value(resources).map_err(|error| Failure::system("linux.resources", error))?;
    let of_limits = limits.as_object().into_iter().flatten();
    let mut limited = of_limits.filter(|(name, value)| *name != "devices" && !is_empty(value));
    match limited.next() {
        None => Ok(()),
        Some((name, value)) => {
            let message = format!("linux.resources.{name} {value}: needs a cgroup, and --cgroup-manager is disabled");
            Err(Failure::new(message))
        }
    }
}

fn is_empty(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::Object(fields) => fields.is_empty(),
        serde_json::Value::Array(entries) => entries.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_cgroups_there_are_no_limits() {
        let check = |resources: serde_json::Value, named: Option<&str>| {
            let resources: LinuxResources = serde_json::from_value(resources).expect("valid");
            let message = refuse_limits(Some(&resources)).err().map(|failure| failure.to_string());
            assert_eq!(message.is_some(), named.is_some(), "{message:?}");
            assert!(message.unwrap_or_default().contains(named.unwrap_or_default()));
        };
        check(json!({}), None);
        check(json!({"devices": [{"allow": false}], "memory": {}, "unified": {}}), None);
        check(json!({"memory": {"limit": 5}}), Some("linux.resources.memory {\"limit\":5}: needs a cgroup"));
        check(json!({"pids": {"limit": 5}}), Some("linux.resources.pids"));
    }
}
