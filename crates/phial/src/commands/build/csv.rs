//! Values of flags that are lists of keys, such as `type=local,dest=out`: a line of CSV. Pure.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::invalid;
use crate::failure::{Failure, Result};

/// The keys of a value.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    flag: &'a str,
    text: &'a str,
    /// In small letters, unless they are somebody else's, with what is said of them.
    pub(super) given: BTreeMap<String, String>,
}

impl<'a> Fields<'a> {
    /// Takes a value apart.
    pub(super) fn parse(flag: &'a str, text: &'a str) -> Result<Fields<'a>> {
        Fields::parse_with(flag, text, str::to_ascii_lowercase)
    }

    /// The same for one with keys of somebody else, which stay as they are written; those that are known here do not.
    pub(super) fn parse_open(flag: &'a str, text: &'a str, known: &[&str]) -> Result<Fields<'a>> {
        Fields::parse_with(flag, text, |key| {
            let lower = key.to_ascii_lowercase();
            if known.contains(&lower.as_str()) { lower } else { key.to_owned() }
        })
    }

    fn parse_with(flag: &'a str, text: &'a str, named: impl Fn(&str) -> String) -> Result<Fields<'a>> {
        let mut given = BTreeMap::new();
        for field in notation::fields::split(text).map_err(|why| invalid(flag, text, why))? {
            let Some((key, value)) = field.split_once('=') else {
                return Err(invalid(flag, text, format!("'{field}' is not KEY=VALUE")));
            };
            given.insert(named(key.trim()), value.to_owned());
        }
        Ok(Fields { flag, text, given })
    }

    /// Takes the first of these keys out that is there.
    pub(super) fn take(&mut self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| self.given.remove(*key))
    }

    /// Takes a switch out.
    pub(super) fn switch(&mut self, key: &str) -> Result<Option<bool>> {
        let Some(value) = self.given.remove(key) else { return Ok(None) };
        notation::truth(&value).map(Some).ok_or_else(|| self.wrong(format!("{key}={value} is neither true nor false")))
    }

    /// A value is one of these.
    pub(super) fn one_of(&self, key: &str, value: &str, names: &[&str]) -> Result<()> {
        if names.contains(&value) {
            return Ok(());
        }
        Err(meant(self.wrong(format!("{key}={value} is none of {}", names.join(", "))), value, names))
    }

    /// There is no key but these; one that ends with `.` is any that begins so.
    pub(super) fn only(&self, known: &[&str]) -> Result<()> {
        let is_known =
            |key: &str| known.iter().any(|known| *known == key || (known.ends_with('.') && key.starts_with(known)));
        match self.given.keys().find(|key| !is_known(key)) {
            None => Ok(()),
            Some(key) => Err(meant(self.wrong(format!("there is no key '{key}' here")), key, known)),
        }
    }

    /// The value makes no sense.
    pub(super) fn wrong(&self, why: impl Display) -> Failure {
        invalid(self.flag, self.text, why)
    }
}

/// Adds what may have been meant, or else what there is.
pub(super) fn meant(failure: Failure, given: &str, names: &[&str]) -> Failure {
    match notation::similar(given, names.iter().copied()) {
        Some(name) => failure.with_hint(format!("did you mean {name}?")),
        None if names.is_empty() => failure,
        None => failure.with_hint(format!("there is {}", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn keys_and_values() {
        let mut fields = Fields::parse("--x", "Type=a,\"b=c,d\",e=,registry.f=g").expect("it is a list");
        assert_eq!(fields.take(&["kind", "type"]).as_deref(), Some("a"));
        assert_eq!(fields.given.get("b").map(String::as_str), Some("c,d"));
        fields.only(&["b", "e", "registry."]).expect("all are known");
        let unknown = fields.only(&["b", "registry.", "else"]).expect_err("one is not");
        assert_eq!(unknown.said().1, Some("did you mean b?"));
        fields.switch("e").expect_err("it is empty");
        assert_eq!(fields.switch("e").expect("it was taken"), None);
        for (text, why) in [("a", "'a' is not KEY=VALUE"), ("\"a=b", "a quote is not closed")] {
            let failure = Fields::parse("--x", text).expect_err("it is none");
            assert_eq!(failure.said().0, format!("cannot build: --x {text}: {why}"));
        }
    }
}
