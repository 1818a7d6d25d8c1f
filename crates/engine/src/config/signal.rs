//! Signals by name or number: `--stop-signal`, `kill -s`.
//!
//! Source: signal(7); the numbers of Linux on `x86_64` and aarch64, which agree.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A signal's number, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(i32);

impl Signal {
    /// What `stop` sends when neither flag nor image says otherwise.
    pub const TERM: Signal = Signal(15);
    /// What nothing survives.
    pub const KILL: Signal = Signal(9);

    /// Parses a number from 1 to 64 or a name with or without `SIG`, such as `TERM`, `SIGKILL`, `RTMIN+3`. `flag` is
    /// named in the error.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(flag: &str, text: &str) -> Result<Signal> {
        runtime::signal::parse(text).map(Signal).ok_or_else(|| {
            Error::invalid(format!("{flag} {text}: no such signal"))
                .with_hint("give a name such as SIGTERM, or a number from 1 to 64")
        })
    }

    /// The signal's number.
    pub fn number(self) -> i32 {
        self.0
    }
}

impl Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&runtime::signal::name(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        let cases = [
            ("TERM", Some((15, "SIGTERM"))),
            ("SIGTERM", Some((15, "SIGTERM"))),
            ("sigint", Some((2, "SIGINT"))),
            ("9", Some((9, "SIGKILL"))),
            ("SYS", Some((31, "SIGSYS"))),
            ("CLD", Some((17, "SIGCHLD"))),
            ("RTMIN", Some((34, "SIGRTMIN"))),
            ("SIGRTMIN+3", Some((37, "SIGRTMIN+3"))),
            ("RTMAX-1", Some((63, "SIGRTMIN+29"))),
            ("64", Some((64, "SIGRTMAX"))),
            ("33", Some((33, "33"))),
            ("0", None),
            ("65", None),
            ("-9", None),
            ("RTMIN+31", None),
            ("RTMIN+-1", None),
            ("RTMAX+1", None),
            ("", None),
            ("SIG", None),
            ("SIGNAL", None),
        ];
        for (text, expected) in cases {
            let found = Signal::parse("--signal", text).ok();
            assert_eq!(found.map(Signal::number), expected.map(|(number, _)| number), "{text}");
            assert_eq!(found.map(|signal| signal.to_string()), expected.map(|(_, name)| name.to_owned()), "{text}");
        }
    }
}
