//! What follows an instruction's name: a list in JSON, words, pairs, or text as it is.

use serde_json::Value;

use super::{Lines, Statement, split};
use crate::error::{Error, Result};

/// What follows an instruction's name and flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arguments {
    /// Nothing; or the instruction is not known.
    None,
    /// The rest of the line, as it is.
    Text(String),
    /// Words.
    Words(Vec<String>),
    /// A list in JSON.
    Exec(Vec<String>),
    /// Names with values.
    Pairs(Vec<Pair>),
    /// `HEALTHCHECK`: its first word, and what follows that.
    Health(String, Box<Arguments>),
    /// `ONBUILD`: another statement.
    Trigger(Box<Statement>),
}

/// A name with a value. Both keep their quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub value: String,
    /// What stands between them.
    pub separator: Separator,
}

/// What stands between a name and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `name=value`
    Equals,
    /// `name value`, of which there is one in a line: an old form.
    Blank,
}

impl Arguments {
    pub(super) fn parse(name: &str, rest: &str, escape: char, lines: Lines) -> Result<Arguments> {
        let name = name.to_ascii_uppercase();
        if rest.is_empty() {
            return Ok(Arguments::None);
        }
        Ok(match name.as_str() {
            "ADD" | "COPY" | "VOLUME" => match json(rest)? {
                Some(list) => Arguments::Exec(list),
                None => Arguments::Words(split::at_blanks(rest)),
            },
            "CMD" | "ENTRYPOINT" | "RUN" | "SHELL" => exec_or_text(rest)?,
            "ARG" => Arguments::Words(split::with_quotes(rest, escape)),
            "ENV" | "LABEL" => Arguments::Pairs(pairs(&name, rest, escape)?),
            "EXPOSE" | "FROM" => Arguments::Words(split::at_blanks(rest)),
            "MAINTAINER" | "STOPSIGNAL" | "USER" | "WORKDIR" => Arguments::Text(rest.to_owned()),
            "HEALTHCHECK" => {
                let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let rest = rest.trim_start();
                let command = if rest.is_empty() { Arguments::None } else { exec_or_text(rest)? };
                Arguments::Health(kind.to_owned(), Box::new(command))
            }
            "ONBUILD" => {
                let (inner, _) = split::first_word(rest);
                if inner.eq_ignore_ascii_case("ONBUILD") {
                    return Err(Error::syntax("ONBUILD cannot be the trigger of ONBUILD").at_word(inner));
                }
                Arguments::Trigger(Box::new(Statement::parse(rest, escape, lines)?))
            }
            _ => Arguments::None,
        })
    }
}

fn exec_or_text(rest: &str) -> Result<Arguments> {
    Ok(json(rest)?.map_or_else(|| Arguments::Text(rest.to_owned()), Arguments::Exec))
}

/// A list of strings in JSON; None for what is no list in JSON, which a shell is given then.
fn json(text: &str) -> Result<Option<Vec<String>>> {
    if !text.starts_with('[') {
        return Ok(None);
    }
    let Ok(list) = serde_json::from_str::<Vec<Value>>(text) else { return Ok(None) };
    let strings = list.iter().map(|item| match item {
        Value::String(text) => Ok(text.clone()),
        other => Err(Error::syntax(format!("a list in JSON is one of strings, and {other} is none"))
            .with_hint(format!("write \"{other}\""))
            .at_word(other.to_string())),
    });
    strings.collect::<Result<_>>().map(Some)
}

/// `name=value …`, or in the old form one name and a value that is the rest of the line.
fn pairs(instruction: &str, rest: &str, escape: char) -> Result<Vec<Pair>> {
    let words = split::with_quotes(rest, escape);
    if words.first().is_none_or(|word| !word.contains('=')) {
        let (name, value) = split::first_word(rest);
        if value.is_empty() {
            return Err(Error::syntax(format!("{instruction} {name}: a value is missing"))
                .with_hint(format!("write {instruction} {name}=value"))
                .at_word(name));
        }
        return Ok(vec![Pair { name: name.to_owned(), value: value.to_owned(), separator: Separator::Blank }]);
    }
    let pair = |word: &String| match word.split_once('=') {
        None => Err(Error::syntax(format!("{instruction}: no '=' in {word:?}"))
            .with_hint("give each as name=value, and quote a value that has blanks")
            .at_word(word)),
        Some(("", _)) => Err(Error::syntax(format!("{instruction}: no name before '=' in {word:?}")).at_word(word)),
        Some((name, value)) => {
            Ok(Pair { name: name.to_owned(), value: value.to_owned(), separator: Separator::Equals })
        }
    };
    words.iter().map(pair).collect()
}
