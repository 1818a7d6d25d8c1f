//! The engine's one error: what it is for programs, what it says to people, which exit status it means.
//!
//! Messages are lower-case fragments that name the thing and the value; the edge puts "phial: cannot …:" in front and
//! prints the hint on a line of its own.

use std::fmt::{self, Display};
use std::io;

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A flag or value that makes no sense, or not together with another.
    Invalid,
    /// An image, container or file that is not there.
    NotFound,
    /// A name in use, a container that runs, an image a container needs.
    Conflict,
    /// Docker has it, this version has not.
    Unsupported,
    /// The container or the process in it could not be started; [`Error::exit_code`] says which of docker's three
    /// cases it is.
    Start,
    /// The operating system refused.
    System,
    /// The store refused.
    Store,
    /// The registry or the image refused.
    Image,
    /// There is no room left on a file system.
    Full,
}

/// Why the engine did not do what it was asked for.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    exit_code: i32,
}

/// Exit status of `run` and `exec` when Phial itself could not do it.
const OWN_FAILURE: i32 = 125;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), hint: None, exit_code: OWN_FAILURE }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, message)
    }

    /// A value of a flag that makes no sense, told by whoever parses it: `--flag VALUE: why`.
    pub fn of_flag(message: impl Into<String>) -> Error {
        Error::invalid(message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::NotFound, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Conflict, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Unsupported, message)
    }

    /// A call to the system that did not work: `what` names the call's purpose and the path.
    pub(crate) fn system(what: impl Display, error: impl Into<io::Error>) -> Error {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        let error = error.into();
        let is_full = matches!(error.kind(), StorageFull | QuotaExceeded);
        Error::new(if is_full { ErrorKind::Full } else { ErrorKind::System }, format!("{what}: {error}"))
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_exit_code(mut self, exit_code: i32) -> Error {
        self.exit_code = exit_code;
        self
    }

    /// For programs: what kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the user can do about it, as one sentence, if there is something.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The exit status of `run` and `exec` for this failure, as docker's: 125 Phial could not, 126 the command is
    /// there but cannot be executed, 127 there is no such command, 1 there is no such container to `exec` in. Other
    /// commands exit with 1.
    pub fn exit_code(&self) -> i32 {
        self.exit_code
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Puts words around a system call's error.
pub(crate) trait Context<T> {
    /// `what` is evaluated only for an error.
    fn context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| Error::system(what(), error))
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        let kind = match error.kind() {
            store::ErrorKind::NotFound => ErrorKind::NotFound,
            store::ErrorKind::Conflict => ErrorKind::Conflict,
            store::ErrorKind::Full => ErrorKind::Full,
            store::ErrorKind::Ambiguous | store::ErrorKind::Invalid => ErrorKind::Invalid,
            _ => ErrorKind::Store,
        };
        let own = Error::new(kind, error.to_string());
        match error.kind() {
            store::ErrorKind::Corrupt => {
                own.with_hint("phial system check says what is damaged, and repairs it with --repair")
            }
            _ => own,
        }
    }
}

impl From<net::Error> for Error {
    fn from(error: net::Error) -> Error {
        let kind = match error.kind() {
            net::ErrorKind::Invalid => ErrorKind::Invalid,
            net::ErrorKind::Conflict => ErrorKind::Conflict,
            net::ErrorKind::NotFound => ErrorKind::NotFound,
            net::ErrorKind::Unsupported => ErrorKind::Unsupported,
            _ => ErrorKind::System,
        };
        let own = Error::new(kind, error.to_string());
        match error.hint() {
            Some(hint) => own.with_hint(hint),
            None => own,
        }
    }
}

impl From<image::Error> for Error {
    fn from(error: image::Error) -> Error {
        let kind = match error.kind() {
            image::ErrorKind::NotFound => ErrorKind::NotFound,
            image::ErrorKind::Syntax => ErrorKind::Invalid,
            image::ErrorKind::Full => ErrorKind::Full,
            _ => ErrorKind::Image,
        };
        Error::new(kind, error.to_string())
    }
}

impl From<image::layer::Error> for Error {
    fn from(error: image::layer::Error) -> Error {
        Error::new(if error.is_full() { ErrorKind::Full } else { ErrorKind::Image }, error.to_string())
    }
}

impl From<runtime::Error> for Error {
    fn from(error: runtime::Error) -> Error {
        let own = Error::new(ErrorKind::System, error.to_string()).with_exit_code(error.exit_code());
        match error.hint() {
            Some(hint) => own.with_hint(hint),
            None => own,
        }
    }
}
