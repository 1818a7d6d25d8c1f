//! What the user reads when a command did not work, and the exit status that goes with it.
//!
//! The form is always `phial: cannot DO WHAT: WHY`, and a second line `hint: …` where there is something to do about it.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use engine::ErrorKind;

use crate::output::human;

/// Exit status of a program in a pipeline whose reader has gone, as a shell gives it: 128 + SIGPIPE.
pub(crate) const READER_GONE: u8 = 141;

/// Result of a command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a command did not work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Without `phial: `; empty when there is nothing to say.
    message: String,
    hint: Option<String>,
    /// What a command that starts a process exits with; 1 of others.
    start_code: u8,
    /// Overrides both.
    code: Option<u8>,
    /// Whether there is no room left.
    is_full: bool,
}

impl Failure {
    /// A failure in the edge itself; `message` is everything after `phial: `.
    pub(crate) fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: None, start_code: 125, code: None, is_full: false }
    }

    /// The same with something to do about it.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// The same with this exit status, whatever the command.
    pub(crate) fn with_code(mut self, code: u8) -> Failure {
        self.code = Some(code);
        self
    }

    /// What is said: the message and the hint.
    #[cfg(test)]
    pub(crate) fn said(&self) -> (&str, Option<&str>) {
        (&self.message, self.hint.as_deref())
    }

    /// Says it on standard error. `starts` tells whether the command starts a process: docker keeps the exit statuses
    /// 125 to 127 for those.
    pub(crate) fn report(&self, starts: bool) -> ExitCode {
        self.print();
        ExitCode::from(self.code.unwrap_or(if starts { self.start_code } else { 1 }))
    }

    /// The same, because a file system is full.
    pub(crate) fn because_full(mut self) -> Failure {
        self.is_full = true;
        self
    }

    /// Whether it is that a file system is full.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether there is nothing to say: the reader of the output has gone, and with it the reason to go on.
    pub(crate) fn is_silent(&self) -> bool {
        self.message.is_empty()
    }

    /// Says it and nothing more, for commands that go on with the next name.
    pub(crate) fn print(&self) {
        if !self.message.is_empty() {
            say(&format!("phial: {}", self.message));
        }
        if let Some(hint) = &self.hint {
            say(&format!("hint: {hint}"));
        }
    }
}

impl From<std::io::Error> for Failure {
    /// Of writing to standard output: nobody needs to be told that the reader has gone.
    fn from(error: std::io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::new("").with_code(READER_GONE);
        }
        Failure::new(format!("cannot write to standard output: {error}"))
    }
}

/// Puts the command's purpose in front of an error.
pub(crate) trait Cannot<T> {
    /// `purpose` completes "phial: cannot …:".
    fn cannot<D: Display>(self, purpose: impl FnOnce() -> D) -> Result<T>;
}

impl<T> Cannot<T> for engine::Result<T> {
    fn cannot<D: Display>(self, purpose: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| Failure {
            message: format!("cannot {}: {error}", purpose()),
            hint: error.hint().map(str::to_owned),
            start_code: u8::try_from(error.exit_code()).unwrap_or(125),
            code: None,
            is_full: error.kind() == ErrorKind::Full,
        })
    }
}

impl<T> Cannot<T> for build::Result<T> {
    fn cannot<D: Display>(self, purpose: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| {
            let failure = Failure::new(format!("cannot {}: {error}", purpose()));
            let failure = error.hint().into_iter().fold(failure, Failure::with_hint);
            if error.kind() == build::ErrorKind::Full { failure.because_full() } else { failure }
        })
    }
}

/// Lines on standard error. They may quote strangers, whose control characters no terminal gets to see. Nothing can be
/// done if standard error is gone as well.
pub(crate) fn say(lines: &str) {
    let _ = writeln!(std::io::stderr(), "{}", human::harmless_lines(lines));
}
