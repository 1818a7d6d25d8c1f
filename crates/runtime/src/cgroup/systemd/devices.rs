//! Rules of devices as properties `DevicePolicy` and `DeviceAllow` (`systemd.resource-control(5)`).
//!
//! systemd can only allow. What the rules forbid in particular is left out here, and forbidden by our own program, which
//! the kernel asks as well.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use super::bus::Value;

/// The properties for rules of which later ones override earlier ones.
pub(super) fn properties(rules: &[LinuxDeviceCgroup]) -> Vec<(String, Value)> {
    let mut everything = false;
    let mut allowed: Vec<(String, String)> = Vec::new();
    for rule in rules {
        if is_all(rule) {
            everything = rule.allow();
            allowed.clear();
        } else if rule.allow() && !everything {
            allowed.extend(entries(rule));
        }
    }
    allowed.dedup();
    let policy = if everything { "auto" } else { "strict" };
    let mut properties = vec![
        ("DevicePolicy".to_owned(), Value::Text(policy.to_owned())),
        // An empty list forgets those before.
        ("DeviceAllow".to_owned(), Value::Pairs(Vec::new())),
    ];
    if !everything {
        properties.push(("DeviceAllow".to_owned(), Value::Pairs(allowed)));
    }
    properties
}

fn wild(number: Option<i64>) -> bool {
    number.is_none_or(|number| number < 0)
}

fn access(rule: &LinuxDeviceCgroup) -> &str {
    rule.access().as_deref().unwrap_or("rwm")
}

fn is_all(rule: &LinuxDeviceCgroup) -> bool {
    let every_access = "rwm".chars().all(|letter| access(rule).contains(letter));
    let every_kind = matches!(rule.typ(), None | Some(LinuxDeviceType::A));
    every_access && every_kind && wild(rule.major()) && wild(rule.minor())
}

fn entries(rule: &LinuxDeviceCgroup) -> Vec<(String, String)> {
    let kinds: &[&str] = match rule.typ() {
        None | Some(LinuxDeviceType::A) => &["block", "char"],
        Some(LinuxDeviceType::B) => &["block"],
        Some(_) => &["char"],
    };
    let path = |kind: &&str| match (rule.major().filter(|_| !wild(rule.major())), wild(rule.minor())) {
        // There is no way to say "this minor number of every driver".
        (None, _) => format!("{kind}-*"),
        (Some(major), true) => format!("{kind}-{major}"),
        (Some(major), false) => format!("/dev/{kind}/{major}:{}", rule.minor().unwrap_or_default()),
    };
    kinds.iter().map(|kind| (path(kind), access(rule).to_owned())).collect()
}
