//! Which devices a container may use: the rules of its devices cgroup. The nodes themselves are the runtime's.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

/// Device rules: nothing, then the making (not the using) of any node, then the harmless ones.
pub(super) fn rules() -> Vec<LinuxDeviceCgroup> {
    let any = |kind| rule(true, Some(kind), None, None, "m");
    let character = |major, minor| rule(true, Some(LinuxDeviceType::C), Some(major), minor, "rwm");
    vec![
        rule(false, None, None, None, "rwm"),
        any(LinuxDeviceType::C),
        any(LinuxDeviceType::B),
        character(1, Some(3)), // null
        character(1, Some(5)), // zero
        character(1, Some(7)), // full
        character(1, Some(8)), // random
        character(1, Some(9)), // urandom
        character(5, Some(0)), // tty
        character(5, Some(1)), // console
        character(5, Some(2)), // ptmx
        character(136, None),  // pts/…
    ]
}

fn rule(
    allow: bool,
    kind: Option<LinuxDeviceType>,
    major: Option<i64>,
    minor: Option<i64>,
    access: &str,
) -> LinuxDeviceCgroup {
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(allow).set_typ(kind).set_major(major).set_minor(minor).set_access(Some(access.to_owned()));
    rule
}
