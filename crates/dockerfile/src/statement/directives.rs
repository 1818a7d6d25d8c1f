//! Parser directives: comments at the top of the file, `# name=value`, that say how to read the rest.

use std::collections::BTreeMap;

use super::Lines;
use super::lines::Reader;
use crate::error::{Error, Result};

/// Names there are. A comment with any other name is a comment, and no directive follows one.
const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// A directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// What it says.
    pub value: String,
    /// In which line.
    pub line: usize,
}

/// What the top of a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives {
    /// What continues lines and escapes characters: a backslash, or a backtick.
    pub escape: char,
    /// Which front end the file is for.
    pub syntax: Option<Directive>,
    /// Which checks are left out, and whether what they find is an error.
    pub check: Option<Directive>,
}

impl Directives {
    /// Reads them, and leaves everything else.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Directives> {
        let mut found: BTreeMap<&str, Directive> = BTreeMap::new();
        while let Some((name, value)) = reader.next_if(|line| parse(line.strip_prefix('#')?)) {
            let line = reader.line();
            let here = Lines { first: line, last: line };
            if found.insert(name, Directive { value, line }).is_some() {
                return Err(Error::syntax(format!("only one {name} parser directive can be used")).in_lines(here));
            }
        }
        let escape = match found.remove("escape") {
            None => '\\',
            Some(Directive { value, line }) => match value.as_str() {
                "\\" => '\\',
                "`" => '`',
                _ => {
                    let here = Lines { first: line, last: line };
                    return Err(Error::syntax(format!("escape {value:?}: it is \\ or `"))
                        .at_word(value)
                        .in_lines(here));
                }
            },
        };
        Ok(Directives { escape, syntax: found.remove("syntax"), check: found.remove("check") })
    }
}

/// `name=value`, if there is such a directive.
fn parse(comment: &str) -> Option<(&'static str, String)> {
    let (name, value) = comment.trim().split_once('=')?;
    let name = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name.trim_end()))?;
    let value = value.trim();
    (!value.is_empty()).then(|| (name, value.to_owned()))
}

/// Which front end a file is for, whatever its language: as a directive, as one after `//`, or as a key of a JSON object; a
/// first line that begins with `#!` is passed over. The first word of the value is the image, the whole is what it is given.
pub fn syntax(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = if text.starts_with("#!") { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text };
    let directive = |mark: &str| {
        let directives = text.lines().map_while(|line| parse(line.strip_prefix(mark)?));
        directives.filter(|(name, _)| *name == "syntax").map(|(_, value)| value).next()
    };
    let json = || {
        let object: serde_json::Value = serde_json::from_str(text).ok()?;
        object.get("syntax")?.as_str().map(ToOwned::to_owned)
    };
    directive("#").or_else(|| directive("//")).or_else(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_any_file() {
        let cases = [
            ("# syntax=docker/dockerfile:1\nFROM x", Some("docker/dockerfile:1")),
            ("# escape=`\n# SYNTAX = a b\nFROM x", Some("a b")),
            ("#!/usr/bin/env x\n# syntax=a", Some("a")),
            ("\u{feff}# syntax=a", Some("a")),
            ("// syntax=a\n{}", Some("a")),
            ("{\"syntax\": \"a\", \"b\": 1}", Some("a")),
            ("# comment\n# syntax=a", None),
            ("\n# syntax=a", None),
            ("# syntax=", None),
            ("FROM x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(syntax(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }
}
