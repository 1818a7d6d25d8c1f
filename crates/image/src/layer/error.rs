//! The error of this module: which entry of a layer, and why. Owns the wording; never decides what to do about it.

use std::fmt;

/// The result of every fallible function here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a layer could not be written.
#[derive(Debug)]
pub struct Error(Box<Details>);

#[derive(Debug)]
struct Details {
    kind: ErrorKind,
    entry: Option<Vec<u8>>,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What went wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The stream is not a well-formed archive, or ends too early.
    Malformed,
    /// An entry is well formed, but no layer may have it: `..`, a hard link to what is not there, an unknown type.
    Refused,
    /// A [`super::Limits`] is exceeded.
    TooLarge,
    /// The stream could not be read; the source says why.
    Read,
    /// The directory could not be written; the source says why.
    Write,
}

impl Error {
    /// What went wrong, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// True if the kernel said that there is nothing of that name.
    pub(super) fn is_absent(&self) -> bool {
        let source = self.0.source.as_deref().and_then(|source| source.downcast_ref::<fsroot::Error>());
        source.is_some_and(|source| source.kind() == fsroot::ErrorKind::NotFound)
    }

    pub(super) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self(Box::new(Details { kind, entry: None, message: message.to_string(), source: None }))
    }

    pub(super) fn malformed(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Malformed, message)
    }

    pub(super) fn refused(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// Whether the reason is that the file system is full.
    pub fn is_full(&self) -> bool {
        crate::error::is_full(self)
    }

    pub(super) fn too_large(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::TooLarge, message)
    }

    pub(super) fn read(source: std::io::Error) -> Self {
        let mut error = Self::new(ErrorKind::Read, &source);
        error.0.source = Some(Box::new(source));
        error
    }

    pub(super) fn write(what: &str, source: rustix::io::Errno) -> Self {
        let source = std::io::Error::from(source);
        let mut error = Self::new(ErrorKind::Write, format_args!("{what}: {source}"));
        error.0.source = Some(Box::new(source));
        error
    }

    /// Of the writer that an archive goes to.
    pub(super) fn output(source: std::io::Error) -> Self {
        let mut error = Self::new(ErrorKind::Write, &source);
        error.0.source = Some(Box::new(source));
        error
    }

    /// Names the entry, unless an inner call knew it better.
    pub(super) fn at(mut self, entry: &[u8]) -> Self {
        self.0.entry.get_or_insert_with(|| entry.to_vec());
        self
    }
}

impl From<fsroot::Error> for Error {
    fn from(source: fsroot::Error) -> Self {
        let mut error = Self::new(ErrorKind::Write, &source);
        error.0.source = Some(Box::new(source));
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.entry {
            Some(entry) => write!(out, "layer entry \"{}\": {}", entry.escape_ascii(), self.0.message),
            None => write!(out, "layer: {}", self.0.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
