//! Reading a file of the kernel, or the reason why it cannot be seen.
//!
//! Every fact of the report is a [`Seen`]: one that is missing costs its own line and nothing else.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// A fact, or why it is hidden.
pub(crate) type Seen<T> = Result<T, Unseen>;

/// Why something cannot be seen: where it would be, and what the kernel answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unseen {
    path: String,
    why: String,
}

impl Unseen {
    /// `path` is absolute in the container.
    pub(crate) fn new(path: &str, why: impl fmt::Display) -> Unseen {
        Unseen { path: path.to_owned(), why: why.to_string() }
    }

    /// The fact stands in `path`, but not in a form that this program knows.
    pub(crate) fn strange(path: &str) -> Unseen {
        Unseen::new(path, "has a form I do not know")
    }

    fn from_io(path: &str, error: &io::Error) -> Unseen {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "is not there".to_owned(),
            io::ErrorKind::PermissionDenied => "is forbidden".to_owned(),
            _ => error.to_string(),
        };
        Unseen { path: path.to_owned(), why }
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "cannot see: {} {}", self.path, self.why)
    }
}

/// The text of the file at `path`, which is relative to `root`. Bytes that are no UTF-8 are replaced.
pub(crate) fn read(root: &Path, path: &str) -> Seen<String> {
    match fs::read(root.join(path)) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(Unseen::from_io(&format!("/{path}"), &error)),
    }
}

/// Where the symbolic link at `path` points to.
pub(crate) fn link(root: &Path, path: &str) -> Seen<String> {
    match fs::read_link(root.join(path)) {
        Ok(target) => Ok(target.to_string_lossy().into_owned()),
        Err(error) => Err(Unseen::from_io(&format!("/{path}"), &error)),
    }
}

/// Names in the directory at `path`.
pub(crate) fn names(root: &Path, path: &str) -> Seen<Vec<String>> {
    let name = |entry: io::Result<fs::DirEntry>| Some(entry.ok()?.file_name().to_string_lossy().into_owned());
    match fs::read_dir(root.join(path)) {
        Ok(entries) => Ok(entries.filter_map(name).collect()),
        Err(error) => Err(Unseen::from_io(&format!("/{path}"), &error)),
    }
}
