//! The one error of this crate.

use std::fmt::{self, Display};

use rustix::io::Errno;

/// What went wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for cannot be.
    Invalid,
    /// A name, an address or a port is taken.
    Conflict,
    /// There is no such thing.
    NotFound,
    /// This kernel or this host lacks it.
    Unsupported,
    /// The kernel refused a step.
    System,
}

/// An error with everything a person needs: which step, which thing, why, and what to do.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    errno: Option<Errno>,
}

/// What fallible functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), hint: None, errno: None }
    }

    /// What was asked for cannot be.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, message)
    }

    /// A failed system call or netlink request on the way to `what`.
    pub fn system(what: impl Display, errno: Errno) -> Error {
        let errno_text = std::io::Error::from(errno);
        Error { errno: Some(errno), ..Error::new(ErrorKind::System, format!("{what}: {errno_text}")) }
    }

    /// A failed operation on a file.
    pub fn io(what: impl Display, error: &std::io::Error) -> Error {
        Error { errno: Errno::from_io_error(error), ..Error::new(ErrorKind::System, format!("{what}: {error}")) }
    }

    /// With a line that says what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// What went wrong, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The kernel's error number, where the kernel refused.
    pub fn errno(&self) -> Option<Errno> {
        self.errno
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
