//! Sources with wildcards: which paths one means. Owns the search; what the paths lead to is found like any other.
//!
//! The components before the first wildcard are resolved, so that symlinks lead on inside the root. From there on only what is
//! really there is looked at: no wildcard goes through a symlink.

use std::os::unix::ffi::OsStringExt;

use dockerfile::ignore::Wildcard;
use fsroot::{Dir, ErrorKind, Follow, Name, Root};

use super::joined;
use super::resolve::{enter, resolve, without_slashes};
use crate::error::{Error, Result};

/// All paths that the pattern means, sorted component by component.
///
/// # Errors
/// `NotFound` if there is nothing before the first wildcard.
pub(super) fn find(root: &Root, pattern: &str, follow: Follow) -> Result<Vec<Vec<u8>>> {
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let first = parts.iter().position(|part| Wildcard::is_in(part)).unwrap_or(parts.len());
    let wildcards = parts[first..].iter().map(|part| Wildcard::parse(part));
    let wildcards: Vec<Wildcard> =
        wildcards.collect::<Result<_, _>>().map_err(|error| Error::invalid(error.to_string()))?;
    let spot = resolve(root, without_slashes(parts[..first].join("/").as_bytes()), follow, None)?;
    let mut found = Vec::new();
    if spot.is_dir() || spot.found.is_none() {
        let path = spot.path.clone();
        search(&spot.into_dir(None)?, &path, &wildcards, &mut found)?;
    }
    Ok(found)
}

fn search(dir: &Dir, path: &[u8], wildcards: &[Wildcard], found: &mut Vec<Vec<u8>>) -> Result<()> {
    let Some((first, rest)) = wildcards.split_first() else { return Ok(()) };
    let mut names: Vec<Vec<u8>> = dir.names()?.into_iter().map(OsStringExt::into_vec).collect();
    names.retain(|name| first.matches(&String::from_utf8_lossy(name)));
    names.sort();
    for name in names {
        let path = joined(path, &name);
        if rest.is_empty() {
            found.push(path);
            continue;
        }
        match dir.metadata(Name::new(&name)?) {
            Ok(metadata) if metadata.is_dir() => {
                search(&enter(dir, &name, || path.clone())?, &path, rest, found)?;
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
