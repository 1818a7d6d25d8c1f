//! Steps for kernel parameters.

use oci_spec::runtime::Linux;
use sys::clone::namespace;

use super::namespaces::name;
use super::{Step, c_string};
use crate::error::{Error, ErrorKind, Result};

/// Adds them; `own` are the namespaces that are not the caller's.
pub(super) fn add(linux: &Linux, own: u64, steps: &mut Vec<Step>) -> Result<()> {
    for (key, value) in linux.sysctl().iter().flatten() {
        steps.push(sysctl(key, value, own)?);
    }
    Ok(())
}

/// Kernel parameters that are per namespace; all others would change the host (runtime-spec, sysctl), and so would these
/// without that namespace.
fn sysctl(key: &str, value: &str, own: u64) -> Result<Step> {
    let invalid = |why: &str| Error::new(ErrorKind::Invalid, format!("linux.sysctl {key:?}: {why}"));
    let needed =
        namespace_of_sysctl(key).ok_or_else(|| invalid("is not a parameter of a namespace of the container"))?;
    if own & needed == 0 {
        let kind = name(needed);
        return Err(invalid(&format!("needs a {kind} namespace in linux.namespaces: it would change the host")));
    }
    let path = format!("/proc/sys/{}", path(key));
    Ok(Step::Sysctl {
        path: c_string(path.as_bytes(), "linux.sysctl")?,
        value: c_string(value.as_bytes(), "linux.sysctl")?,
    })
}

/// The namespace, as a `CLONE_NEW*` bit, that a parameter belongs to, named as sysctl(8) does; None for one of the host.
pub fn namespace_of_sysctl(key: &str) -> Option<u64> {
    let path = path(key);
    needed(&path).filter(|_| !path.split('/').any(|part| matches!(part, "" | "." | "..")))
}

/// `a.b.c` or `a/b/c`: whichever separator comes first is it, and the other one stands for a dot in a name (`sysctl(8)`).
fn path(key: &str) -> String {
    let swap = |letter| match letter {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    match key.find(['.', '/']).map(|place| key.as_bytes()[place]) {
        Some(b'.') => key.chars().map(swap).collect(),
        _ => key.to_owned(),
    }
}

/// The namespace that a parameter belongs to, by its path below `/proc/sys`.
pub(crate) fn needed(path: &str) -> Option<u64> {
    match path {
        "kernel/msgmax"
        | "kernel/msgmnb"
        | "kernel/msgmni"
        | "kernel/sem"
        | "kernel/shmall"
        | "kernel/shmmax"
        | "kernel/shmmni"
        | "kernel/shm_rmid_forced" => Some(namespace::IPC),
        "kernel/domainname" => Some(namespace::UTS),
        path if path.starts_with("net/") => Some(namespace::NETWORK),
        path if path.starts_with("fs/mqueue/") => Some(namespace::IPC),
        path if path.starts_with("user/") => Some(namespace::USER),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_needs_its_namespace() {
        let all = namespace::NETWORK | namespace::IPC | namespace::UTS | namespace::USER;
        for (key, expected) in [
            ("net.ipv4.ip_forward", Some("/proc/sys/net/ipv4/ip_forward")),
            ("net.ipv4.conf.eth0/7.forwarding", Some("/proc/sys/net/ipv4/conf/eth0.7/forwarding")),
            ("net/ipv4/conf/eth0.7/forwarding", Some("/proc/sys/net/ipv4/conf/eth0.7/forwarding")),
            ("kernel.shmmax", Some("/proc/sys/kernel/shmmax")),
            ("kernel.domainname", Some("/proc/sys/kernel/domainname")),
            ("user.max_user_namespaces", Some("/proc/sys/user/max_user_namespaces")),
            ("kernel.core_pattern", None),
            ("net.../../kernel", None),
            ("net/../kernel/core_pattern", None),
            ("vm.swappiness", None),
        ] {
            let path = |own| match sysctl(key, "1", own) {
                Ok(Step::Sysctl { path, .. }) => Some(path.into_string().expect("text")),
                _ => None,
            };
            assert_eq!(path(all).as_deref(), expected, "{key}");
            assert_eq!(path(0), None, "{key}");
        }
    }
}
