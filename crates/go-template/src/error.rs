//! Why a template is wrong, or cannot be applied to a value.

use std::fmt::{self, Display};

/// Why a template is wrong, or cannot be applied to a value. Its text is Go's, with the position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// Of the text itself, in this line (the first is 1).
    pub(crate) fn parse(line: usize, what: impl Display) -> Error {
        Error(format!("template: :{line}: {what}"))
    }

    /// Of applying it: `node` starts at byte `position` of `text`.
    pub(crate) fn execute(text: &str, position: usize, node: impl Display, what: impl Display) -> Error {
        let before = text.get(..position).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rfind('\n').map_or(position, |newline| position - newline - 1);
        Error(format!("template: :{line}:{column}: executing \"\" at <{node}>: {what}"))
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
