//! Copies of a context's files, found again in what a step has made of them: what a file was before it was changed.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use fsroot::{Metadata, Root};

use super::cursor::Cursor;
use super::selection::{Entry, Selection};
use super::sums::{Reading, Sum, one};
use super::{Origin, split};
use crate::error::Result;

/// Larger files are not compared.
pub(crate) const MOST_COMPARED: u64 = 1 << 20;
/// As many files are read at most to find one.
const MOST_READ: usize = 32;

/// What a file was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Earlier {
    pub(crate) content: Vec<u8>,
    /// Permission bits.
    pub(crate) mode: u32,
}

/// What the file at `path` of a context was when its sum was what `is_it` knows, in what was made of it, whatever it is called
/// there. `mode` is what it has now, as copies may have got another one than their sources.
///
/// # Errors
/// Those of reading.
pub(crate) fn earlier(copies: &Root, path: &[u8], mode: u32, is_it: impl Fn(Sum) -> bool) -> Result<Option<Earlier>> {
    let origin = Origin { root: copies, ignored: None, belongs_to_root: true, sums: &Reading };
    let all = Selection::tree("/", &origin)?;
    let mut files: Vec<&Entry> =
        all.entries.iter().filter(|entry| entry.found.is_file() && entry.found.size <= MOST_COMPARED).collect();
    files.sort_by_key(|entry| Reverse(in_common(&entry.path, path)));
    let mut cursor = Cursor::new(copies);
    for file in files.into_iter().take(MOST_READ) {
        for mode in [file.found.mode, mode] {
            let as_source = Entry {
                path: file.path.clone(),
                found: Metadata { mode, ..file.found },
                target: Vec::new(),
                is_taken: true,
                first: None,
            };
            if is_it(one(&as_source, &origin, &mut cursor)?) {
                let content = copies.read_regular(OsStr::from_bytes(&file.path), MOST_COMPARED)?;
                return Ok(Some(Earlier { content, mode }));
            }
        }
    }
    Ok(None)
}

/// How many names two paths have in common at their ends.
fn in_common(mut one: &[u8], mut other: &[u8]) -> usize {
    let mut count = 0;
    loop {
        let ((above, name), (others, others_name)) = (split(one), split(other));
        if name != others_name || name.is_empty() {
            return count;
        }
        (one, other, count) = (above, others, count + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn paths_have_ends_in_common() {
        for (one, other, expected) in [("a/b/c", "x/b/c", 2), ("c", "a/c", 1), ("a/c", "a/d", 0), ("a/b", "a/b", 2)] {
            assert_eq!(in_common(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_copy_is_found_by_what_it_is() {
        let dir = tempfile::tempdir().expect("there is room");
        let write = |path: &str, content: &str, mode: u32| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("is made");
            std::fs::write(&path, content).expect("is written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("is set");
        };
        write("app/one", "1", 0o600);
        write("app/other/one", "2", 0o600);
        write("renamed", "3", 0o644);
        let root = Root::open(dir.path()).expect("is opened");
        let origin = Origin { root: &root, ignored: None, belongs_to_root: true, sums: &Reading };
        let all = Selection::tree("/", &origin).expect("is read");
        let sum = |path: &str, mode: u32| {
            let entry = all.entries.iter().find(|entry| entry.path == path.as_bytes()).expect("it is there");
            let found = Metadata { mode, ..entry.found };
            let entry = Entry { path: entry.path.clone(), found, target: Vec::new(), is_taken: true, first: None };
            one(&entry, &origin, &mut Cursor::new(&root)).expect("is read")
        };
        let check = |path: &str, mode: u32, wanted: Sum| {
            earlier(&root, path.as_bytes(), mode, |sum| sum == wanted).expect("is read")
        };
        let found = |content: &str, mode| Some(Earlier { content: content.as_bytes().to_vec(), mode });
        assert_eq!(check("src/one", 0o600, sum("app/one", 0o600)), found("1", 0o600));
        assert_eq!(check("other/one", 0o600, sum("app/one", 0o600)), found("1", 0o600), "the sum decides");
        assert_eq!(check("src/one", 0o755, sum("app/one", 0o755)), found("1", 0o755), "with --chmod");
        assert_eq!(check("three", 0o600, sum("renamed", 0o644)), found("3", 0o644));
        assert_eq!(check("src/one", 0o600, [0; 32]), None);
    }
}
