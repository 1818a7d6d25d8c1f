//! Steps for labels of Linux security modules: AppArmor's profile, SELinux's labels of process, keys and mounts
//! (runtime-spec `config.md`, `apparmorProfile`, `selinuxLabel`; `config-linux.md`, `mountLabel`).

use std::ffi::CString;

use oci_spec::runtime::{Linux, Process};

use super::{Step, c_string};
use crate::error::Result;

/// File systems that take no label of their own: the kernel labels what is in them by rules of its policy.
const WITHOUT_CONTEXT: [&std::ffi::CStr; 4] = [c"proc", c"sysfs", c"cgroup", c"cgroup2"];

fn given(text: Option<&String>, field: &str) -> Result<Option<CString>> {
    text.filter(|text| !text.is_empty()).map(|text| c_string(text.as_bytes(), field)).transpose()
}

/// The label of keys, before any is made.
pub(super) fn of_keys(process: &Process) -> Result<Option<Step>> {
    Ok(given(process.selinux_label().as_ref(), "process.selinuxLabel")?.map(Step::KeyLabel))
}

/// What the program is executed under.
pub(super) fn of_program(process: &Process, steps: &mut Vec<Step>) -> Result<()> {
    steps.extend(given(process.selinux_label().as_ref(), "process.selinuxLabel")?.map(Step::SelinuxLabel));
    steps.extend(given(process.apparmor_profile().as_ref(), "process.apparmorProfile")?.map(Step::AppArmor));
    Ok(())
}

/// Labels every new file system among the steps.
pub(super) fn of_mounts(linux: &Linux, steps: &mut Vec<Step>) -> Result<()> {
    let Some(label) = given(linux.mount_label().as_ref(), "linux.mountLabel")? else { return Ok(()) };
    let mut later = Vec::new();
    for (number, step) in steps.iter_mut().enumerate() {
        let Step::Mount(mount) = step else { continue };
        if mount.file_system.as_c_str() == c"mqueue" {
            // All mounts of it share what they show; so it is the directory that is labelled.
            later.push((number + 1, Step::LabelFile { label: label.clone(), path: mount.target.clone() }));
        } else if !WITHOUT_CONTEXT.contains(&mount.file_system.as_c_str()) {
            mount.options.push((c"context".to_owned(), Some(label.clone())));
            mount.classic.add(c"context", &label)?;
        }
    }
    for (number, step) in later.into_iter().rev() {
        steps.insert(number, step);
    }
    Ok(())
}
