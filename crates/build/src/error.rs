//! The crate's one error: what it is for programs, what it says to people.

use std::fmt::{self, Display};
use std::io;

use store::Digest;

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The Dockerfile is wrong; [`Error::dockerfile`] says where.
    Dockerfile,
    /// An option or a value that makes no sense.
    Invalid,
    /// A file, an image or a context that is not there.
    NotFound,
    /// A command has failed.
    Command,
    /// The system refused.
    System,
    /// There is no room left on a file system.
    Full,
    /// A file of a context was changed while it was read.
    Changed,
    /// Somebody wants the build to end.
    Canceled,
}

/// Why a build did not come to its end.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    dockerfile: Option<Box<dockerfile::Error>>,
    file: Option<Box<(String, String)>>,
    operation: Option<Digest>,
}

impl Error {
    /// One of this kind. The message is a fragment that names the thing and the value.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), hint: None, dockerfile: None, file: None, operation: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, message)
    }

    /// A call to the system that did not work: `what` names the thing.
    pub(crate) fn system(what: impl Display, error: impl Into<io::Error>) -> Error {
        let error = error.into();
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            _ => ErrorKind::System,
        };
        Error::new(kind, format!("{what}: {error}"))
    }

    /// What can be done about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Which of these names may have been meant, or else which there are.
    #[must_use]
    pub(crate) fn with_meant(self, given: &str, names: &[&str]) -> Error {
        match notation::similar(given, names.iter().copied()) {
            Some(name) => self.with_hint(format!("did you mean {name}?")),
            None if names.is_empty() => self,
            None => self.with_hint(format!("there is {}", names.join(", "))),
        }
    }

    /// Which file [`Error::dockerfile`] is about: what it is called, and what stands in it.
    #[must_use]
    pub fn with_file(mut self, name: impl Into<String>, text: impl Into<String>) -> Error {
        self.file = Some(Box::new((name.into(), text.into())));
        self
    }

    /// About a flag, which is named with its value.
    #[must_use]
    pub(crate) fn of_flag(mut self, flag: &str) -> Error {
        self.message = format!("{flag}: {}", self.message);
        self
    }

    /// In these lines of the Dockerfile.
    #[must_use]
    pub(crate) fn in_lines(mut self, first: usize, last: usize) -> Error {
        let lines = dockerfile::Lines { first, last };
        let error = dockerfile::Error::meaning(self.message.clone()).in_lines(lines);
        self.dockerfile = Some(Box::new(self.hint.iter().fold(error, |error, hint| error.with_hint(hint.as_str()))));
        self
    }

    /// Of an operation of the graph.
    #[must_use]
    pub(crate) fn of_operation(self, operation: Digest) -> Error {
        Error { operation: Some(operation), ..self }
    }

    /// The operation of the graph that has failed, if it is one.
    pub(crate) fn operation(&self) -> Option<&Digest> {
        self.operation.as_ref()
    }

    /// For programs: what kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What can be done about it, if something is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Where in the Dockerfile it is, if it is there.
    pub fn dockerfile(&self) -> Option<&dockerfile::Error> {
        self.dockerfile.as_deref()
    }

    /// The file that is about: its name and its text.
    pub fn file(&self) -> Option<(&str, &str)> {
        self.file.as_deref().map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<dockerfile::Error> for Error {
    fn from(error: dockerfile::Error) -> Error {
        let hint = error.hint().map(ToOwned::to_owned);
        let own = Error { hint, ..Error::new(ErrorKind::Dockerfile, error.to_string()) };
        Error { dockerfile: Some(Box::new(error)), ..own }
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Error {
        let kind = match error.kind() {
            engine::ErrorKind::Invalid | engine::ErrorKind::Unsupported | engine::ErrorKind::Conflict => {
                ErrorKind::Invalid
            }
            engine::ErrorKind::NotFound => ErrorKind::NotFound,
            engine::ErrorKind::Full => ErrorKind::Full,
            _ => ErrorKind::System,
        };
        let own = Error::new(kind, error.to_string());
        error.hint().map(ToOwned::to_owned).into_iter().fold(own, Error::with_hint)
    }
}

impl From<image::Error> for Error {
    fn from(error: image::Error) -> Error {
        engine::Error::from(error).into()
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        engine::Error::from(error).into()
    }
}

impl From<image::layer::Error> for Error {
    fn from(error: image::layer::Error) -> Error {
        engine::Error::from(error).into()
    }
}

impl From<fsroot::Error> for Error {
    fn from(error: fsroot::Error) -> Error {
        let kind = match error.kind() {
            fsroot::ErrorKind::NotFound => ErrorKind::NotFound,
            fsroot::ErrorKind::NoSpace => ErrorKind::Full,
            _ => ErrorKind::System,
        };
        Error::new(kind, error.to_string())
    }
}
