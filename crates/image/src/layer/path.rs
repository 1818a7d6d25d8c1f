//! Names in an archive. Owns what a name may look like and which names are whiteouts (image-spec `layer.md`, "Whiteouts");
//! never touches the file system.

use fsroot::Name;

use super::{Error, Result};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const AUFS: &[u8] = b".wh..wh.";

/// Where an entry belongs, and what it is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The text in front of the last component: its components are `components(parent)`.
    pub(super) parent: &'a [u8],
    pub(super) role: Role<'a>,
}

/// What the last component says about the entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role<'a> {
    /// The layer's own top directory.
    Top,
    /// Something with a name.
    Named(Name<'a>),
    /// Hides what lower layers have under the name.
    Whiteout(Name<'a>),
    /// Hides all that lower layers have in the parent.
    Opaque,
    /// Book-keeping of aufs, which means nothing here.
    Aufs,
}

/// Splits and judges the name of an entry.
///
/// # Errors
///
/// Refused, if a component is `..`, contains NUL, or is a whiteout with something below it.
pub(super) fn place(path: &[u8]) -> Result<Place<'_>> {
    let (parent, last) = split(path)?;
    let mut aufs = false;
    for component in components(parent) {
        aufs |= component.starts_with(AUFS);
        if component.starts_with(WHITEOUT) && !aufs {
            return Err(Error::refused("lies below a whiteout"));
        }
    }
    let role = match last {
        _ if aufs => Role::Aufs,
        None => Role::Top,
        Some(name) => role(name)?,
    };
    Ok(Place { parent, role })
}

/// Splits a path, of an entry or a hard link, into the text of its parent and its last component.
pub(super) fn split(path: &[u8]) -> Result<(&[u8], Option<Name<'_>>)> {
    let mut rest = path;
    for component in components(path) {
        if component == b".." {
            return Err(Error::refused("has .. in its name"));
        }
    }
    loop {
        let start = rest.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        match &rest[start..] {
            b"" | b"." if start == 0 => return Ok((b"", None)),
            b"" | b"." => rest = &rest[..start - 1],
            last => {
                let name = Name::new(last).map_err(|error| Error::refused(&error))?;
                return Ok((&rest[..start], Some(name)));
            }
        }
    }
}

/// The components of a path. A leading slash, double slashes and `.` mean nothing.
pub(super) fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|component| !matches!(*component, b"" | b"."))
}

fn role(name: Name<'_>) -> Result<Role<'_>> {
    let bytes = name.as_bytes();
    if bytes == OPAQUE {
        return Ok(Role::Opaque);
    }
    if bytes.starts_with(AUFS) {
        return Ok(Role::Aufs);
    }
    match bytes.strip_prefix(WHITEOUT) {
        None => Ok(Role::Named(name)),
        // `.wh...` would hide the parent's parent.
        Some(hidden) => {
            Name::new(hidden).map(Role::Whiteout).map_err(|_| Error::refused("is a whiteout that names nothing"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &[u8]) -> Role<'_> {
        Role::Named(Name::new(text).expect("a plain component"))
    }

    #[test]
    fn places() {
        let check = |path: &str, parent: &str, want: Role<'_>| {
            let place = place(path.as_bytes()).unwrap_or_else(|error| panic!("{path}: {error}"));
            let parents: Vec<_> = components(place.parent).map(String::from_utf8_lossy).collect();
            assert_eq!(parents.join("/"), parent, "{path}");
            assert_eq!(place.role, want, "{path}");
        };
        check("a", "", named(b"a"));
        check("/a", "", named(b"a"));
        check("./a//b/./c/", "a/b", named(b"c"));
        check("a/.", "", named(b"a"));
        check("", "", Role::Top);
        check(".", "", Role::Top);
        check("././/", "", Role::Top);
        check("/", "", Role::Top);
        check("a/...", "a", named(b"..."));
        check("a/.whx", "a", named(b".whx"));
        check("a/.wh.x", "a", Role::Whiteout(Name::new("x").expect("a plain component")));
        check(".wh..x", "", Role::Whiteout(Name::new(".x").expect("a plain component")));
        check("a/.wh..wh..opq", "a", Role::Opaque);
        check(".wh..wh.plnk", "", Role::Aufs);
        check(".wh..wh.plnk/1.2", ".wh..wh.plnk", Role::Aufs);
        check(".wh..wh.aufs", "", Role::Aufs);
    }

    #[test]
    fn refusals() {
        for path in ["..", "../a", "a/..", "a/../b", "/..", "a/.wh...", ".wh.", ".wh..", ".wh.a/b", "a\0b"] {
            assert!(place(path.as_bytes()).is_err(), "{path:?}");
        }
    }
}
