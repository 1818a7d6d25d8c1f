//! Which devices a container may use: rules written to the v1 controller, or a program for v2.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use rustix::fs::{Mode, OFlags};

use crate::error::{Error, Result};

/// What every container may use, whatever its rules say: making device files, which alone gives nothing, the devices
/// of the specification ("Default Devices"), and terminals.
const DEFAULTS: [(LinuxDeviceType, Option<i64>, Option<i64>, &str); 11] = [
    (LinuxDeviceType::C, None, None, "m"),
    (LinuxDeviceType::B, None, None, "m"),
    (LinuxDeviceType::C, Some(1), Some(3), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(5), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(7), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(8), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(9), "rwm"),
    (LinuxDeviceType::C, Some(5), Some(0), "rwm"),
    (LinuxDeviceType::C, Some(5), Some(1), "rwm"),
    (LinuxDeviceType::C, Some(5), Some(2), "rwm"),
    (LinuxDeviceType::C, Some(136), None, "rwm"),
];

/// The rules of a configuration between "nothing" and [`DEFAULTS`]: what no rule allows is not allowed.
pub(super) fn with_defaults(rules: &[LinuxDeviceCgroup]) -> Vec<LinuxDeviceCgroup> {
    let rule = |allow, kind, major: Option<i64>, minor: Option<i64>, access: &str| {
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(allow).set_typ(Some(kind)).set_major(major).set_minor(minor).set_access(Some(access.to_owned()));
        rule
    };
    let defaults = DEFAULTS.map(|(kind, major, minor, access)| rule(true, kind, major, minor, access));
    let nothing = rule(false, LinuxDeviceType::A, None, None, "rwm");
    std::iter::once(nothing).chain(rules.iter().cloned()).chain(defaults).collect()
}

/// Sets the rules of a container's cgroup; later rules override earlier ones.
pub(super) fn apply(directory: BorrowedFd<'_>, path: &Path, unified: bool, rules: &[LinuxDeviceCgroup]) -> Result<()> {
    if unified {
        let program = super::devices_program::compile(rules);
        return sys::bpf::attach_device_program(directory, &program)
            .map_err(|errno| Error::system(format!("device program of {}", path.display()), errno));
    }
    let open = |file| {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(directory, file, flags, Mode::empty())
            .map_err(|errno| Error::system(path.join(file).display(), errno))
    };
    let (allow, deny) = (open("devices.allow")?, open("devices.deny")?);
    for rule in rules {
        let file = if rule.allow() { allow.as_fd() } else { deny.as_fd() };
        let text = rule_text(rule);
        rustix::io::write(file, text.as_bytes())
            .map_err(|errno| Error::system(format!("device rule {text:?} of {}", path.display()), errno))?;
    }
    Ok(())
}

/// A rule as the v1 controller reads it: type, numbers, access (`cgroup-v1/devices.rst`).
fn rule_text(rule: &LinuxDeviceCgroup) -> String {
    let number = |number: Option<i64>| match number {
        None | Some(-1) => "*".to_owned(),
        Some(number) => number.to_string(),
    };
    let kind = match rule.typ() {
        None | Some(LinuxDeviceType::A) => return "a".to_owned(),
        Some(LinuxDeviceType::B) => 'b',
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => 'c',
        Some(LinuxDeviceType::P) => 'p',
    };
    let access = rule.access().as_deref().unwrap_or("rwm");
    format!("{kind} {}:{} {access}", number(rule.major()), number(rule.minor()))
}
