//! Lines of the file, and those that are continued: the one place that knows where the reading is.

use super::Lines;
use super::heredoc::Heredoc;
use crate::error::{Error, Result};

/// The longest line, in bytes without its end, as in `BuildKit`.
const LONGEST: usize = 65_535;

/// Reads a file from its beginning to its end.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// How many lines were taken.
    line: usize,
    comments: Vec<String>,
}

/// A line with all that continue it.
pub(super) struct Logical {
    pub(super) text: String,
    pub(super) lines: Lines,
    /// Comments before it.
    pub(super) comments: Vec<String>,
    pub(super) has_empty_continuation: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        let rest = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        Reader { rest, line: 0, comments: Vec::new() }
    }

    /// How many lines were read.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The next line if it is such a comment that says something of the file.
    pub(super) fn next_if<T>(&mut self, of: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let (line, rest) = self.peek()?;
        let found = of(std::str::from_utf8(line).ok()?.trim())?;
        self.rest = rest;
        self.line += 1;
        Some(found)
    }

    /// The next line with its end, and what follows.
    fn peek(&self) -> Option<(&'a [u8], &'a [u8])> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |newline| newline + 1);
        (end > 0).then(|| self.rest.split_at(end))
    }

    /// The next line with its end.
    fn take(&mut self) -> Result<Option<&'a [u8]>> {
        let Some((line, rest)) = self.peek() else { return Ok(None) };
        self.rest = rest;
        self.line += 1;
        let length = line.strip_suffix(b"\n").unwrap_or(line).len();
        if length > LONGEST {
            return Err(self.wrong(format!("the line has {length} bytes, and {LONGEST} at most are taken")));
        }
        Ok(Some(line))
    }

    /// The text of a line without its end.
    fn text(&self, line: &'a [u8]) -> Result<&'a str> {
        let text = std::str::from_utf8(line)
            .map_err(|_| self.wrong("the line is not UTF-8".to_owned()).with_hint("save the file in UTF-8"))?;
        Ok(text.trim_end_matches(['\r', '\n']))
    }

    fn wrong(&self, what: String) -> Error {
        Error::syntax(what).in_lines(Lines { first: self.line, last: self.line })
    }

    /// The next line that is not empty and no comment, with those that continue it.
    pub(super) fn next_logical(&mut self, escape: char) -> Result<Option<Logical>> {
        while let Some(line) = self.take()? {
            if is_comment(line) {
                self.note_comment(line);
                continue;
            }
            let text = self.text(line)?.trim_start();
            let (text, mut is_continued) = without_continuation(text, escape);
            if text.is_empty() && !is_continued {
                continue;
            }
            let first = self.line;
            let mut text = text.to_owned();
            let mut has_empty_continuation = false;
            while is_continued {
                let Some(line) = self.take()? else { break };
                if is_comment(line) {
                    continue;
                }
                let line = self.text(line)?;
                if line.trim_start().is_empty() {
                    has_empty_continuation = true;
                    continue;
                }
                let line = without_continuation(line, escape);
                text.push_str(line.0);
                is_continued = line.1;
            }
            let lines = Lines { first, last: self.line };
            let comments = std::mem::take(&mut self.comments);
            return Ok(Some(Logical { text, lines, comments, has_empty_continuation }));
        }
        Ok(None)
    }

    /// An empty comment parts what is above it from what is below.
    fn note_comment(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        match line.trim().trim_start_matches('#').trim() {
            "" => self.comments.clear(),
            comment => self.comments.push(comment.to_owned()),
        }
    }

    /// The body of a here-document, up to the line that ends it; None if none does.
    pub(super) fn heredoc(&mut self, heredoc: &Heredoc) -> Result<Option<String>> {
        let mut body = String::new();
        while let Some(line) = self.take()? {
            let text = self.text(line)?;
            let end = if heredoc.strips_tabs { text.trim_start_matches('\t') } else { text };
            if end == heredoc.name {
                return Ok(Some(body));
            }
            body.push_str(text);
            // Its end as it is: a line of a body may end with a carriage return.
            body.extend(line[text.len()..].iter().map(|byte| char::from(*byte)));
        }
        Ok(None)
    }
}

fn is_comment(line: &[u8]) -> bool {
    line.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0x0b) == Some(&b'#')
}

/// The line without the character that continues it, and whether there is one: it is the last but blanks, and no other
/// stands before it.
fn without_continuation(line: &str, escape: char) -> (&str, bool) {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(before) if !before.ends_with(escape) => (before, true),
        _ => (line, false),
    }
}
