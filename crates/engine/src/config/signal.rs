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

/// Names of the signals 1 to 31, in order.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];
/// Second names.
const ALIASES: [(&str, i32); 4] = [("CLD", 17), ("IOT", 6), ("POLL", 29), ("UNUSED", 31)];
/// First and last of the real-time signals, as C libraries leave them to programs.
const REAL_TIME: (i32, i32) = (34, 64);

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
        find(text).ok_or_else(|| {
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
        let (first, last) = REAL_TIME;
        match usize::try_from(self.0 - 1).ok().and_then(|index| NAMES.get(index)) {
            Some(name) => write!(f, "SIG{name}"),
            None if self.0 == first => f.write_str("SIGRTMIN"),
            None if self.0 == last => f.write_str("SIGRTMAX"),
            None if self.0 > first => write!(f, "SIGRTMIN+{}", self.0 - first),
            None => write!(f, "{}", self.0),
        }
    }
}

fn find(text: &str) -> Option<Signal> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=64).contains(&number).then_some(Signal(number));
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(index) = NAMES.iter().position(|known| *known == name) {
        return i32::try_from(index + 1).ok().map(Signal);
    }
    if let Some((_, number)) = ALIASES.iter().find(|(known, _)| *known == name) {
        return Some(Signal(*number));
    }
    real_time(name)
}

fn real_time(name: &str) -> Option<Signal> {
    let (first, last) = REAL_TIME;
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => first,
        (_, Some("")) => last,
        (Some(above), _) => first + above.strip_prefix('+')?.parse::<u8>().map(i32::from).ok()?,
        (_, Some(below)) => last - below.strip_prefix('-')?.parse::<u8>().map(i32::from).ok()?,
        (None, None) => return None,
    };
    (first..=last).contains(&number).then_some(Signal(number))
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
