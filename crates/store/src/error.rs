//! The crate's error: what kind it is for programs, and one complete line for people.

use std::fmt::Display;
use std::io;
use std::path::Path;

/// What went wrong, so that a caller can decide. The text names the thing and the value.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    errno: Option<i32>,
}

/// The kinds of [`Error`] a caller may want to treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such image, container, layer or blob.
    NotFound,
    /// A name is taken, or something is still in use.
    Conflict,
    /// An id prefix fits more than one thing.
    Ambiguous,
    /// The caller's text is no digest, id or name.
    Invalid,
    /// What is on disk is not what was written there.
    Corrupt,
    /// The store was made by a newer version of the program.
    Unsupported,
    /// The operating system refused.
    Io,
    /// The database refused.
    Database,
    /// There is no room left on the file system.
    Full,
}

impl Error {
    /// Which kind this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The system's error number, where the operating system refused.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.0.errno
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, message: message.into(), errno: None }))
    }

    /// A refusal of the operating system: what was being done, to which path.
    pub(crate) fn io(doing: &str, path: &Path, error: impl Into<io::Error>) -> Error {
        let error = error.into();
        let errno = error.raw_os_error();
        let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let kind = if is_full { ErrorKind::Full } else { ErrorKind::Io };
        Error(Box::new(Inner { kind, message: format!("{doing} {}: {error}", path.display()), errno }))
    }

    /// A refusal of the database: what was being done.
    pub(crate) fn database(doing: impl Display, error: &rusqlite::Error) -> Error {
        let kind = match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorKind::Corrupt,
            Some(rusqlite::ErrorCode::DiskFull) => ErrorKind::Full,
            _ => ErrorKind::Database,
        };
        Error::new(kind, format!("{doing}: database: {error}"))
    }
}
