//! `linux.cgroupsPath` with systemd as driver: `slice:prefix:name`, as runc and the engines above it have it.

use crate::error::{Error, ErrorKind, Result};

/// The unit of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The slice it is in, `machine.slice`; None for the manager's usual one.
    pub(super) slice: Option<String>,
    /// `prefix-name.scope`.
    pub(super) unit: String,
}

/// Parses it. Without a path the unit is `phial-ID.scope`; an empty slice is the usual one, an empty prefix none.
///
/// # Errors
/// `Invalid`.
pub(super) fn parse(path: &str, id: &str) -> Result<Name> {
    let invalid = |why: &str| {
        let error = Error::new(ErrorKind::Invalid, format!("linux.cgroupsPath {path:?}: {why}"));
        Err(error.with_hint("with systemd it is slice:prefix:name, such as system.slice:phial:one"))
    };
    let path_or_default = if path.is_empty() { format!(":phial:{id}") } else { path.to_owned() };
    let [slice, prefix, name] = path_or_default.split(':').collect::<Vec<_>>()[..] else {
        return invalid("does not have three parts");
    };
    if name.is_empty() {
        return invalid("has no name");
    }
    // Slices hold units, not processes.
    if name.strip_suffix(".slice").is_some() {
        return invalid("a container is no slice");
    }
    let unit = if prefix.is_empty() { format!("{name}.scope") } else { format!("{prefix}-{name}.scope") };
    if unit.len() > 255 || !unit.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.:\\@".contains(letter)) {
        return invalid("is no name of a unit");
    }
    if !slice.is_empty() && expand(slice).is_none() {
        return invalid("its first part is no slice");
    }
    Ok(Name { slice: (!slice.is_empty()).then(|| slice.to_owned()), unit })
}

/// Where systemd puts a slice (`systemd.slice(5)`): a dash is a level, so that `a-b.slice` is `/a.slice/a-b.slice`. The
/// root is `-.slice`. None for a name that is none.
pub(super) fn expand(slice: &str) -> Option<String> {
    let name = slice.strip_suffix(".slice").filter(|name| !name.is_empty() && !name.contains('/'))?;
    if name == "-" {
        return Some("/".to_owned());
    }
    let parts: Vec<&str> = name.split('-').collect();
    if parts.contains(&"") {
        return None;
    }
    let levels = (1..=parts.len()).map(|count| format!("/{}.slice", parts[..count].join("-")));
    Some(levels.collect())
}
