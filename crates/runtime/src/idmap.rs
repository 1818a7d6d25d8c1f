//! Maps of a new user namespace (`user_namespaces(7)`), from the configuration to the kernel.

use std::fmt::Write;

use oci_spec::runtime::{LinuxIdMapping, Spec};
use rustix::process::Pid;

use crate::error::{Error, ErrorKind, Result};

/// Most lines that the kernel takes.
const MOST_LINES: usize = 340;

/// Writes the maps of `linux.uidMappings` and `linux.gidMappings` for a process that has just been given a user
/// namespace of its own.
///
/// # Errors
/// `Invalid` for maps that cannot be, `System` when the kernel refuses one.
pub fn write(spec: &Spec, process: Pid) -> Result<()> {
    let linux = spec.linux().as_ref();
    let uids = linux.and_then(|linux| linux.uid_mappings().as_deref()).unwrap_or_default();
    let gids = linux.and_then(|linux| linux.gid_mappings().as_deref()).unwrap_or_default();
    for (field, file, list) in [("linux.uidMappings", "uid_map", uids), ("linux.gidMappings", "gid_map", gids)] {
        let path = format!("/proc/{}/{file}", process.as_raw_nonzero());
        let text = text(field, list)?;
        std::fs::write(&path, &text).map_err(|error| {
            Error::system(format!("{field}: {path}"), error)
                .with_hint("ranges must not overlap, and need privilege over the host's ids that they name")
        })?;
    }
    Ok(())
}

/// The lines as the kernel reads them.
fn text(field: &str, list: &[LinuxIdMapping]) -> Result<String> {
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
    fn what_is_no_range_is_refused() {
        for list in
            [vec![], vec![map(0, 0, 0)], vec![map(u32::MAX, 0, 1)], vec![map(0, u32::MAX, 2)], vec![map(0, 0, 1); 341]]
        {
            assert_eq!(text("f", &list).map_err(|error| error.kind()), Err(ErrorKind::Invalid));
        }
    }
}
