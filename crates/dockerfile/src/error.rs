//! Why a Dockerfile is refused: what is wrong, in which lines, at which word, and what may have been meant.

use std::fmt::{self, Display};

use crate::statement::Lines;

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is no Dockerfile.
    Syntax,
    /// What it says cannot be done: whoever makes something of it has found that.
    Meaning,
    /// A variable that must be set is not, or a substitution makes no sense.
    Expansion,
}

/// Why a Dockerfile is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    lines: Option<Lines>,
    word: Option<String>,
}

impl Error {
    pub(crate) fn syntax(message: impl Into<String>) -> Error {
        Error { kind: ErrorKind::Syntax, message: message.into(), hint: None, lines: None, word: None }
    }

    /// For whoever makes something of a file: what it says cannot be done.
    pub fn meaning(message: impl Into<String>) -> Error {
        Error { kind: ErrorKind::Meaning, ..Error::syntax(message) }
    }

    pub(crate) fn expansion(message: impl Into<String>) -> Error {
        Error { kind: ErrorKind::Expansion, ..Error::syntax(message) }
    }

    /// `what` is none of `names`: if it is like one of them, that one may have been meant.
    pub(crate) fn unknown<'a>(
        message: impl Into<String>,
        what: &str,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Error {
        let error = Error::syntax(message).at_word(what);
        match notation::similar(what, names) {
            Some(meant) => error.with_hint(format!("did you mean {meant}?")),
            None => error,
        }
    }

    /// What may have been meant or can be done.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Which word of the lines is the wrong one.
    #[must_use]
    pub fn at_word(mut self, word: impl Into<String>) -> Error {
        self.word = Some(word.into());
        self
    }

    /// Of these lines, unless it is known more exactly.
    #[must_use]
    pub fn in_lines(mut self, lines: Lines) -> Error {
        self.lines = self.lines.or(Some(lines));
        self
    }

    /// For programs: what kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What may have been meant or can be done, if that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// In which lines of the Dockerfile it is.
    pub fn lines(&self) -> Option<Lines> {
        self.lines
    }

    /// Which word of these lines is the wrong one, if it is one.
    pub(crate) fn word(&self) -> Option<&str> {
        self.word.as_deref()
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
