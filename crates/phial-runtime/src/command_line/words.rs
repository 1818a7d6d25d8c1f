//! The options and arguments of one call, as they were written.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::Arg;

use super::table::{GLOBAL, HELP, Takes};
use super::{Flag, Verb};
use crate::failure::{Failure, Result};

/// Options by their long names, and arguments.
#[derive(Debug, Default)]
pub(crate) struct Words {
    flags: Vec<(&'static str, OsString)>,
    /// What is no option, in order.
    pub(crate) arguments: Vec<OsString>,
}

impl Words {
    /// Reads the options before the verb, and the verb.
    pub(super) fn before_verb(parser: &mut lexopt::Parser) -> Result<(Words, Option<String>)> {
        let mut words = Words::default();
        while let Some(argument) = parser.next().map_err(usage)? {
            match argument {
                Arg::Value(verb) => return Ok((words, Some(verb.to_string_lossy().into_owned()))),
                option => {
                    let option = spelled(&option);
                    words.option(parser, GLOBAL, &option)?;
                }
            }
        }
        Ok((words, None))
    }

    /// Reads what follows the verb.
    pub(super) fn of_verb(verb: &'static Verb, parser: &mut lexopt::Parser) -> Result<Words> {
        let mut words = Words::default();
        while let Some(argument) = parser.next().map_err(usage)? {
            match argument {
                Arg::Value(value) => {
                    words.arguments.push(value);
                    if verb.raw_after == Some(words.arguments.len()) {
                        words.arguments.extend(parser.raw_args().map_err(usage)?);
                    }
                }
                option => {
                    let option = spelled(&option);
                    words.option(parser, verb.flags, &option).map_err(|failure| failure.of_verb(verb.name))?;
                }
            }
        }
        let count = words.arguments.len();
        if !words.has("help") && !verb.arguments.contains(&count) {
            return Err(Failure::new(format!("{}: {count} arguments: usage: phial-runtime {}", verb.name, verb.usage)));
        }
        Ok(words)
    }

    fn option(&mut self, parser: &mut lexopt::Parser, flags: &'static [Flag], given: &str) -> Result<()> {
        let letter = given.strip_prefix('-').and_then(single);
        let known =
            |flag: &&Flag| given.strip_prefix("--") == Some(flag.long) || (letter.is_some() && letter == flag.short);
        let flag = flags.iter().chain([&HELP]).find(known);
        let flag = flag.ok_or_else(|| Failure::new(format!("{given}: is no option here; --help lists them")))?;
        let value = match flag.takes {
            Takes::Value(_) => parser.value().map_err(usage)?,
            Takes::Nothing => match parser.optional_value() {
                None => OsString::from("true"),
                Some(value) if value.to_str().and_then(notation::truth).is_some() => value,
                Some(value) => {
                    return Err(Failure::new(format!("{given}={}: is neither true nor false", value.display())));
                }
            },
        };
        self.flags.push((flag.long, value));
        Ok(())
    }

    /// The value of an option; of one given twice the last counts.
    pub(crate) fn value(&self, long: &str) -> Option<&OsStr> {
        self.flags.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value.as_os_str())
    }

    /// All values of an option, in order.
    pub(crate) fn values<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a OsStr> {
        self.flags.iter().filter(move |(name, _)| *name == long).map(|(_, value)| value.as_os_str())
    }

    /// Whether a switch is on.
    pub(crate) fn has(&self, long: &str) -> bool {
        self.value(long).and_then(OsStr::to_str).and_then(notation::truth) == Some(true)
    }

    /// A value that must be text.
    pub(crate) fn text(&self, long: &str) -> Result<Option<&str>> {
        self.value(long).map(|value| as_text(long, value)).transpose()
    }

    /// Values that must be text.
    pub(crate) fn texts(&self, long: &str) -> Result<Vec<String>> {
        self.values(long).map(|value| as_text(long, value).map(str::to_owned)).collect()
    }

    /// A value that is a path.
    pub(crate) fn path(&self, long: &str) -> Option<PathBuf> {
        self.value(long).map(PathBuf::from)
    }

    /// A value that must be a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, long: &str) -> Result<Option<T>> {
        let Some(text) = self.text(long)? else { return Ok(None) };
        let number = text.parse().map_err(|_| Failure::new(format!("--{long} {text}: is no number of its kind")))?;
        Ok(Some(number))
    }

    /// An argument that must be text; the verb's table says that it is there.
    pub(crate) fn argument(&self, index: usize) -> Result<&str> {
        let missing = || Failure::new("an argument is missing");
        let argument = self.arguments.get(index).ok_or_else(missing)?;
        argument.to_str().ok_or_else(|| Failure::new(format!("{}: is not UTF-8", argument.display())))
    }
}

fn as_text<'a>(long: &str, value: &'a OsStr) -> Result<&'a str> {
    value.to_str().ok_or_else(|| Failure::new(format!("--{long} {}: is not UTF-8", value.display())))
}

fn single(text: &str) -> Option<char> {
    let mut letters = text.chars();
    letters.next().filter(|_| letters.next().is_none())
}

fn spelled(argument: &Arg<'_>) -> String {
    match argument {
        Arg::Long(name) => format!("--{name}"),
        Arg::Short(letter) => format!("-{letter}"),
        Arg::Value(value) => value.to_string_lossy().into_owned(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn usage(error: lexopt::Error) -> Failure {
    Failure::new(format!("{error}; --help lists the options"))
}
