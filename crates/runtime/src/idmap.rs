//! Maps of a new user namespace (`user_namespaces(7)`), from the configuration to the kernel.

use std::fmt::Write;
use std::process::{Command, Stdio};

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespace, LinuxNamespaceType, Spec};
use rustix::process::Pid;

use crate::error::{Error, ErrorKind, Result};

/// Most lines that the kernel takes.
const MOST_LINES: usize = 340;

/// One of the two maps.
#[derive(Debug, Clone, Copy)]
struct Kind {
    field: &'static str,
    file: &'static str,
    /// The program that may write what its caller may not.
    helper: &'static str,
    /// Which ranges it gives to whom.
    ranges: &'static str,
}

const USERS: Kind = Kind { field: "linux.uidMappings", file: "uid_map", helper: "newuidmap", ranges: "/etc/subuid" };
const GROUPS: Kind = Kind { field: "linux.gidMappings", file: "gid_map", helper: "newgidmap", ranges: "/etc/subgid" };

/// Writes the maps of `linux.uidMappings` and `linux.gidMappings` for a process that has just been given a user
/// namespace of its own; for one that was entered by its file, makes sure that it has just those. A user other than root may give his own id; for ranges of others that the host has set aside
/// for him, `newuidmap(1)` and `newgidmap(1)` are called.
///
/// # Errors
/// `Invalid` for maps that cannot be, `System` when the kernel or one of those programs refuses one.
pub fn write(spec: &Spec, process: Pid) -> Result<()> {
    let linux = spec.linux().as_ref();
    let uids = linux.and_then(|linux| linux.uid_mappings().as_deref()).unwrap_or_default();
    let gids = linux.and_then(|linux| linux.gid_mappings().as_deref()).unwrap_or_default();
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid().as_raw());
    let joined = |space: &LinuxNamespace| space.typ() == LinuxNamespaceType::User && space.path().is_some();
    if linux.and_then(|linux| linux.namespaces().as_ref()).into_iter().flatten().any(joined) {
        return [(USERS, uids), (GROUPS, gids)].into_iter().try_for_each(|(kind, list)| verify(kind, list, process));
    }
    for (kind, list, own) in [(USERS, uids, uid.as_raw()), (GROUPS, gids, gid)] {
        let text = text(kind.field, list)?;
        if uid.is_root() {
            put(kind, process, kind.file, &text)?;
        } else if is_own(list, own) {
            if kind.file == GROUPS.file {
                // Who gives a group may not take it away (user_namespaces(7)): the kernel asks for this first.
                put(kind, process, "setgroups", "deny")?;
            }
            put(kind, process, kind.file, &text)?;
        } else {
            call(kind, process, &text)?;
        }
    }
    Ok(())
}

/// Makes sure that the map of an existing namespace is that of the configuration.
fn verify(kind: Kind, list: &[LinuxIdMapping], process: Pid) -> Result<()> {
    let path = format!("/proc/{}/{}", process.as_raw_nonzero(), kind.file);
    let found = std::fs::read_to_string(&path).map_err(|error| Error::system(&path, error))?;
    let lines = |text: &str| {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut lines: Vec<String> = text.lines().map(words).collect();
        // The kernel sorts long maps.
        lines.sort();
        lines
    };
    let (found, asked) = (lines(&found), lines(&text(kind.field, list)?));
    if found == asked {
        return Ok(());
    }
    let message = format!("{}: the user namespace has {}, not {}", kind.field, found.join(", "), asked.join(", "));
    Err(Error::new(ErrorKind::Invalid, message).with_hint("leave the maps out: those of the namespace hold"))
}

/// Whether this process is in another user namespace than the host's, which maps every number to itself.
pub fn in_user_namespace() -> bool {
    let map = sys::file::read(rustix::fs::CWD, "/proc/self/uid_map").unwrap_or_default();
    String::from_utf8_lossy(&map).split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
}

/// Whether a list has nothing but the caller's id.
fn is_own(list: &[LinuxIdMapping], own: u32) -> bool {
    matches!(list, [map] if map.host_id() == own && map.size() == 1)
}

fn put(kind: Kind, process: Pid, file: &str, text: &str) -> Result<()> {
    let path = format!("/proc/{}/{file}", process.as_raw_nonzero());
    std::fs::write(&path, text).map_err(|error| {
        Error::system(format!("{}: {path}", kind.field), error)
            .with_hint("ranges must not overlap, and need privilege over the host's ids that they name")
    })
}

fn call(kind: Kind, process: Pid, text: &str) -> Result<()> {
    let mut command = Command::new(kind.helper);
    command.arg(process.as_raw_nonzero().to_string()).args(text.split_whitespace()).stdin(Stdio::null());
    let what = format!("{}: {}", kind.field, kind.helper);
    let output = command.output().map_err(|error| {
        Error::system(&what, error)
            .with_hint(format!("install it (Debian: uidmap), or run as root: {} may give more ids", kind.helper))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::system(what, format!("{}: {}", output.status, said.trim()))
        .with_hint(format!("{} lists the ranges that each user may give; 'id' tells who you are", kind.ranges)))
}

/// The lines as the kernel reads them; `field` is named in errors.
///
/// # Errors
/// `Invalid` for maps that cannot be.
pub fn text(field: &str, list: &[LinuxIdMapping]) -> Result<String> {
    let invalid = |why: String| Error::new(ErrorKind::Invalid, format!("{field}: {why}"));
    if list.is_empty() {
        return Err(invalid("is empty, and a user namespace needs it".to_owned()));
    }
    if list.len() > MOST_LINES {
        return Err(invalid(format!("has {} entries; the kernel takes {MOST_LINES}", list.len())));
    }
    let mut text = String::new();
    for map in list {
        let (inside, outside, size) = (map.container_id(), map.host_id(), map.size());
        let fits = |first: u32| first.checked_add(size).is_some();
        if size == 0 || !fits(inside) || !fits(outside) {
            return Err(invalid(format!("{inside} {outside} {size}: is no range of ids")));
        }
        writeln!(text, "{inside} {outside} {size}").expect("a String takes every write");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(inside: u32, outside: u32, size: u32) -> LinuxIdMapping {
        let text = format!(r#"{{"containerID":{inside},"hostID":{outside},"size":{size}}}"#);
        serde_json::from_str(&text).expect("a mapping")
    }

    #[test]
    fn lines_are_the_kernels() {
        let lines = text("f", &[map(0, 100_000, 65_536), map(65_536, 5, 1)]).expect("valid");
        assert_eq!(lines, "0 100000 65536\n65536 5 1\n");
    }

    #[test]
    fn ones_own_id_needs_nobody() {
        assert!(is_own(&[map(0, 1000, 1)], 1000));
        for list in [vec![map(0, 1000, 2)], vec![map(0, 1001, 1)], vec![map(0, 1000, 1), map(1, 100_000, 9)]] {
            assert!(!is_own(&list, 1000), "{list:?}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for list in
            [vec![], vec![map(0, 0, 0)], vec![map(u32::MAX, 0, 1)], vec![map(0, u32::MAX, 2)], vec![map(0, 0, 1); 341]]
        {
            assert_eq!(text("f", &list).map_err(|error| error.kind()), Err(ErrorKind::Invalid));
        }
    }
}
