//! `--filter KEY=VALUE`, as docker's lists, prunes and events take it. Pure.
//!
//! Of several filters with different keys all must match; of several values of one key one must, except for labels.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::when;
use crate::error::{Error, Result};

/// What was asked for with `--filter`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters(Vec<(String, String)>);

impl Filters {
    /// Parses the values of `--filter`; only the keys in `known` are taken.
    ///
    /// # Errors
    /// `Invalid` for what is not `KEY=VALUE`, and for an unknown key.
    pub fn parse(texts: &[String], known: &[&str]) -> Result<Filters> {
        texts.iter().map(|text| pair(text, known)).collect::<Result<_>>().map(Filters)
    }

    /// Whether there is no filter at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same without a key.
    #[must_use]
    pub fn without(&self, key: &str) -> Filters {
        Filters(self.0.iter().filter(|(known, _)| known != key).cloned().collect())
    }

    /// The values of a key, in the order in which they were given.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The last value of a key.
    pub fn last<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.values(key).last()
    }

    /// Whether a key was given.
    pub fn has(&self, key: &str) -> bool {
        self.values(key).next().is_some()
    }

    /// Whether any value of the key matches; true if there is none.
    pub fn any(&self, key: &str, matches: impl FnMut(&str) -> bool) -> bool {
        !self.has(key) || self.values(key).any(matches)
    }

    /// Whether these labels have all that `label` asks for, as `KEY` or `KEY=VALUE`, and not all that `label!` names.
    pub fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |wanted: &str| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        self.values("label").all(has) && (!self.has("label!") || !self.values("label!").all(has))
    }

    /// A key whose value is true or false.
    ///
    /// # Errors
    /// `Invalid` for another value.
    pub fn switch(&self, key: &str) -> Result<Option<bool>> {
        let parse = |value: &str| {
            let wrong = || Error::invalid(format!("invalid filter '{key}={value}': not true or false"));
            notation::truth(&value.to_ascii_lowercase()).ok_or_else(wrong)
        };
        self.last(key).map(parse).transpose()
    }

    /// The time that `until` names: what is older is meant.
    ///
    /// # Errors
    /// `Invalid` for what is no time, and for more than one.
    pub fn until(&self) -> Result<Option<Timestamp>> {
        if self.values("until").count() > 1 {
            return Err(Error::invalid("more than one until filter specified"));
        }
        let parse = |text: &str| {
            when::parse(text, Timestamp::now()).ok_or_else(|| {
                Error::invalid(format!("invalid filter 'until={text}': not a time"))
                    .with_hint("give a time such as 2026-08-05T12:00:00Z, or how long ago, such as 24h")
            })
        };
        self.last("until").map(parse).transpose()
    }
}

fn pair(text: &str, known: &[&str]) -> Result<(String, String)> {
    let (key, value) =
        text.split_once('=').ok_or_else(|| Error::invalid(format!("invalid filter '{text}': not KEY=VALUE")))?;
    let key = key.trim().to_lowercase();
    if !known.contains(&key.as_str()) {
        let error = Error::invalid(format!("invalid filter '{key}'"));
        return Err(error.with_hint(format!("filters here: {}", known.join(", "))));
    }
    Ok((key, value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(texts: &[&str]) -> Result<Filters> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        Filters::parse(&texts, &["name", "label", "label!", "dangling"])
    }

    #[test]
    fn labels_are_all_asked_for() {
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        let cases: [(&[&str], bool); 9] = [
            (&[], true),
            (&["label=a"], true),
            (&["label=a=1", "label=b"], true),
            (&["label=a=2"], false),
            (&["label=a", "label=c"], false),
            (&["label!=a"], false),
            (&["label!=c"], true),
            (&["label!=a=2"], true),
            (&["label=b="], true),
        ];
        for (texts, expected) in cases {
            assert_eq!(filters(texts).expect("is well formed").labels(&labels), expected, "{texts:?}");
        }
    }

    #[test]
    fn one_of_several_values_is_enough() {
        let filters = filters(&["name=a", "Name = b", "dangling=T"]).expect("is well formed");
        assert!(filters.any("name", |name| name == "b") && !filters.any("name", |name| name == "c"));
        assert!(filters.any("label", |_| false));
        assert_eq!(filters.switch("dangling").expect("is a switch"), Some(true));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for (text, expected) in [("name", "invalid filter 'name': not KEY=VALUE"), ("nam=x", "invalid filter 'nam'")] {
            assert_eq!(filters(&[text]).expect_err("is refused").to_string(), expected);
        }
        assert!(filters(&["dangling=maybe"]).expect("is well formed").switch("dangling").is_err());
    }
}
