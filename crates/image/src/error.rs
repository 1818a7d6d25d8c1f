//! The one error type of this crate. It owns the kinds that callers tell apart and the words people read; it never
//! decides what happens next (a retry is decided in `client`, an exit code at the edge).

use std::fmt;

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Text that is no reference, platform or digest: the caller's mistake.
    Syntax,
    /// The registry has no such repository, tag, manifest or blob (or does not show it to strangers).
    NotFound,
    /// The registry asks for credentials, or refused the ones it was given.
    Unauthorized,
    /// The registry knows who asks and refuses.
    Denied,
    /// The registry asked to come back later and went on doing so.
    TooManyRequests,
    /// No connection, a connection that broke, or a server that is out of order; retries were in vain.
    Network,
    /// The server's certificate or its TLS is not acceptable.
    Tls,
    /// Plain HTTP where nobody allowed it.
    Insecure,
    /// Content that is not what its digest or size says.
    Digest,
    /// An answer, a document or a layer that breaks its format.
    Invalid,
    /// Well formed and known, and not something a container can be made from here.
    Unsupported,
    /// No entry of an index fits the platform asked for.
    Platform,
    /// More than the limit that protects this host.
    Limit,
    /// A registries file that is not understood.
    Configuration,
    /// A credentials file or a credential helper that cannot be used.
    Credentials,
    /// The local store, or the file system below it.
    Store,
    /// There is no room left in the local store.
    Full,
}

/// Why a reference was refused or a pull came to nothing.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// Keeps `source` for [`std::error::Error::source`]; the message must already say what it says.
    /// That there is no room left is the kind, whoever says it.
    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        if is_full(source.as_ref()) {
            self.0.kind = ErrorKind::Full;
        }
        self.0.source = Some(source);
        self
    }

    /// The same error with `more` behind it.
    pub(crate) fn and(mut self, more: impl fmt::Display) -> Self {
        self.0.message = format!("{}; {more}", self.0.message);
        self
    }

    /// The same error with `context` (the reference, a layer's digest) in front.
    pub(crate) fn within(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// What went wrong, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}: {}", self.0.kind, self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::new(ErrorKind::Store, error.to_string()).caused_by(error)
    }
}

/// Whether an error or one of its causes is that the file system is full.
pub(crate) fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let io = error.downcast_ref().is_some_and(|io: &std::io::Error| matches!(io.kind(), StorageFull | QuotaExceeded));
    let store = error.downcast_ref().is_some_and(|store: &store::Error| store.kind() == store::ErrorKind::Full);
    let tree = error.downcast_ref().is_some_and(|tree: &fsroot::Error| tree.kind() == fsroot::ErrorKind::NoSpace);
    io || store || tree || error.source().is_some_and(is_full)
}

/// Text of a stranger (a registry's error message, a media type) fit for one line of a terminal: no control
/// characters, no more than 200 characters.
pub(crate) fn printable(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    if text.chars().nth(200).is_some() {
        line.push('…');
    }
    line.trim().to_owned()
}
