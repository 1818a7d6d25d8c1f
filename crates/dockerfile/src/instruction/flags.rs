//! Words that begin with `--`: which an instruction takes, and what was given.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, or `=true` or `=false`.
    Truth,
    /// A value.
    Value,
    /// A value, and it may be given more than once.
    Values,
}

/// What was given.
#[derive(Debug)]
pub(super) struct Flags(BTreeMap<&'static str, Vec<String>>);

impl Flags {
    /// # Errors
    /// `Syntax` for a flag that the instruction does not take, one without a value, and one that is given twice.
    pub(super) fn parse(instruction: &str, given: &[String], known: &[(&'static str, Takes)]) -> Result<Flags> {
        let mut flags: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for word in given {
            let (flag, value) = word.split_once('=').map_or((word.as_str(), None), |(flag, value)| (flag, Some(value)));
            let wrong = |why: &str| Error::syntax(format!("{instruction} {flag}: {why}")).at_word(word);
            let Some((name, takes)) = known.iter().find(|(name, _)| flag.strip_prefix("--") == Some(*name)) else {
                return Err(unknown(instruction, flag, known));
            };
            let value = match (takes, value) {
                (Takes::Truth, None) => "true".to_owned(),
                (_, None) => return Err(wrong("a value is missing").with_hint(format!("write {flag}=VALUE"))),
                (Takes::Truth, Some(value)) => match value.to_ascii_lowercase() {
                    truth if truth == "true" || truth == "false" => truth,
                    _ => return Err(wrong(&format!("{value:?} is neither true nor false"))),
                },
                (_, Some(value)) => value.to_owned(),
            };
            let values = flags.entry(name).or_default();
            if !values.is_empty() && *takes != Takes::Values {
                return Err(wrong("it is given twice"));
            }
            values.push(value);
        }
        Ok(Flags(flags))
    }

    /// The value of a flag, if it is given.
    pub(super) fn value(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)?.pop()
    }

    /// All values of a flag.
    pub(super) fn values(&mut self, name: &str) -> Vec<String> {
        self.0.remove(name).unwrap_or_default()
    }

    /// What is said of a flag that takes no value.
    pub(super) fn truth(&mut self, name: &str) -> Option<bool> {
        self.value(name).map(|value| value == "true")
    }
}

fn unknown(instruction: &str, flag: &str, known: &[(&'static str, Takes)]) -> Error {
    let names: Vec<String> = known.iter().map(|(name, _)| format!("--{name}")).collect();
    let error = Error::unknown(format!("{instruction}: unknown flag {flag}"), flag, names.iter().map(String::as_str));
    if error.hint().is_some() {
        return error;
    }
    error.with_hint(if names.is_empty() {
        "it takes none".to_owned()
    } else {
        format!("flags are {}", names.join(" "))
    })
}
