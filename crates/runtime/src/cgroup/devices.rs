//! Which devices a container may use: rules written to the v1 controller, or a program for v2.

use std::os::fd::AsFd;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::directory::Directory;
use super::limits::Version;
use crate::error::{Error, ErrorKind, Result};

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
///
/// # Errors
/// `Invalid` for a rule that is none.
pub(super) fn with_defaults(rules: &[LinuxDeviceCgroup]) -> Result<Vec<LinuxDeviceCgroup>> {
    rules.iter().enumerate().try_for_each(|(number, rule)| check(number, rule))?;
    let rule = |allow, kind, major: Option<i64>, minor: Option<i64>, access: &str| {
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(allow).set_typ(Some(kind)).set_major(major).set_minor(minor).set_access(Some(access.to_owned()));
        rule
    };
    let defaults = DEFAULTS.map(|(kind, major, minor, access)| rule(true, kind, major, minor, access));
    let nothing = rule(false, LinuxDeviceType::A, None, None, "rwm");
    Ok(std::iter::once(nothing).chain(rules.iter().cloned()).chain(defaults).collect())
}

fn check(number: usize, rule: &LinuxDeviceCgroup) -> Result<()> {
    let invalid = |field: &str, value: String, why: &str| {
        let message = format!("linux.resources.devices[{number}].{field} {value}: {why}");
        Err(Error::new(ErrorKind::Invalid, message))
    };
    if rule.typ() == Some(LinuxDeviceType::P) {
        return invalid("type", "p".to_owned(), "is none of a, b, c and u");
    }
    if let Some(access) = rule.access()
        && (access.is_empty() || !access.chars().all(|letter| "rwm".contains(letter)))
    {
        return invalid("access", format!("{access:?}"), "is not made of r, w and m");
    }
    for (field, value) in [("major", rule.major()), ("minor", rule.minor())] {
        if let Some(value) = value.filter(|value| *value != -1 && u32::try_from(*value).is_err()) {
            return invalid(field, value.to_string(), "is no device number, and not -1");
        }
    }
    Ok(())
}

/// Sets the rules of a new cgroup; later rules override earlier ones. Of one that is in use, v1 alone.
pub(super) fn apply(directory: &Directory, rules: &[LinuxDeviceCgroup]) -> Result<()> {
    if directory.version == Version::V2 {
        let program = super::devices_program::compile(rules);
        let attached = directory.descriptor().and_then(|fd| sys::bpf::attach_device_program(fd, &program));
        return attached.map_err(|errno| refused(directory, errno));
    }
    let open = |file| directory.file(file, OFlags::WRONLY).map_err(|errno| directory.error(file, errno));
    let (allow, deny) = (open("devices.allow")?, open("devices.deny")?);
    let mut lines: Vec<(bool, String)> = Vec::with_capacity(rules.len());
    lines.extend(rules.iter().flat_map(|rule| rule_texts(rule).into_iter().map(|text| (rule.allow(), text))));
    // Most configurations begin with "nothing" as well.
    lines.dedup();
    for (allowed, text) in lines {
        let file = if allowed { allow.as_fd() } else { deny.as_fd() };
        rustix::io::write(file, text.as_bytes())
            .map_err(|errno| Error::system(format!("device rule {text:?} of {}", directory.path.display()), errno))?;
    }
    Ok(())
}

/// Sets the rules of a v2 cgroup that is in use.
pub(super) fn replace(directory: &Directory, rules: &[LinuxDeviceCgroup]) -> Result<()> {
    let program = super::devices_program::compile(rules);
    let replaced = directory.descriptor().and_then(|fd| sys::bpf::replace_device_program(fd, &program));
    replaced.map_err(|errno| refused(directory, errno))
}

fn refused(directory: &Directory, errno: Errno) -> Error {
    let error = Error::system(format!("device program of {}", directory.path.display()), errno);
    match errno {
        Errno::PERM => error.with_hint("device rules of cgroup v2 need root (CAP_BPF or CAP_SYS_ADMIN)"),
        _ => error,
    }
}

/// A rule as the v1 controller reads it: type, numbers, access (`cgroup-v1/devices.rst`). It takes `a` for everything of
/// every type at once, so that a part of that is two rules.
fn rule_texts(rule: &LinuxDeviceCgroup) -> Vec<String> {
    let number = |number: Option<i64>| match number {
        None | Some(-1) => "*".to_owned(),
        Some(number) => number.to_string(),
    };
    let access = rule.access().as_deref().unwrap_or("rwm");
    let (major, minor) = (number(rule.major()), number(rule.minor()));
    let everything = major == "*" && minor == "*" && "rwm".chars().all(|letter| access.contains(letter));
    let kinds: &[char] = match rule.typ() {
        None | Some(LinuxDeviceType::A) if everything => return vec!["a".to_owned()],
        None | Some(LinuxDeviceType::A) => &['b', 'c'],
        Some(LinuxDeviceType::B) => &['b'],
        Some(_) => &['c'],
    };
    kinds.iter().map(|kind| format!("{kind} {major}:{minor} {access}")).collect()
}
