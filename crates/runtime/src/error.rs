//! The one error of this crate.

use std::fmt;

/// What went wrong, for programs. Exit codes of `phial run` and `phial-runtime` follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration cannot mean anything, or contradicts itself.
    Invalid,
    /// The configuration asks for something that this runtime or this kernel does not have.
    Unsupported,
    /// The program to run does not exist in the container (exit code 127).
    CommandNotFound,
    /// The program to run exists, but cannot be executed (exit code 126).
    CommandNotExecutable,
    /// The container has ended, or is in no state for this: paused, or between two runs (exit code 1).
    NotRunning,
    /// The kernel refused a step.
    System,
}

/// An error with everything a person needs: which step, which thing, why, and what to do.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
}

/// What fallible functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), hint: None }
    }

    /// A failed system call or file operation on the way to `what`.
    pub fn system(what: impl fmt::Display, cause: impl fmt::Display) -> Error {
        Error::new(ErrorKind::System, format!("{what}: {cause}"))
    }

    /// There is no container any more in which something could be done.
    pub fn not_running() -> Error {
        Error::new(ErrorKind::NotRunning, "the container is not running")
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

    /// The exit code that docker gives this failure of `run` and `exec`.
    pub fn exit_code(&self) -> i32 {
        match self.kind {
            ErrorKind::CommandNotFound => 127,
            ErrorKind::CommandNotExecutable => 126,
            ErrorKind::NotRunning => 1,
            _ => 125,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
