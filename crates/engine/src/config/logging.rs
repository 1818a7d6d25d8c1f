//! `--log-driver` and `--log-opt`: which drivers there are, which options each has, and what their values mean. Pure.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What keeps a container's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// Docker's JSON lines.
    #[default]
    JsonFile,
    /// Docker's compact format, rotated and compressed unless options say otherwise.
    Local,
    /// Kubernetes' and podman's lines.
    K8sFile,
    /// The journal of systemd.
    Journald,
    /// Nothing.
    None,
}

/// Log driver and options, as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// `--log-driver`.
    pub driver: Driver,
    /// `--log-opt`, validated.
    pub options: BTreeMap<String, String>,
}

const DRIVERS: [(&str, Driver); 5] = [
    ("json-file", Driver::JsonFile),
    ("local", Driver::Local),
    ("k8s-file", Driver::K8sFile),
    ("journald", Driver::Journald),
    ("none", Driver::None),
];

/// Drivers of docker and podman that there are not here.
const FOREIGN: [&str; 11] = [
    "awslogs",
    "etwlogs",
    "fluentd",
    "gcplogs",
    "gelf",
    "logentries",
    "passthrough",
    "passthrough-tty",
    "splunk",
    "syslog",
    "sumologic",
];

/// Options about files.
const FILES: [&str; 3] = ["max-size", "max-file", "compress"];
/// Options about what is said of each line.
const ATTRIBUTES: [&str; 5] = ["labels", "labels-regex", "env", "env-regex", "tag"];
/// Options of every driver.
const DELIVERY: [&str; 2] = ["mode", "max-buffer-size"];

/// How files are written, when options do not say otherwise.
const LOCAL_SIZE: u64 = 20_000_000;
const LOCAL_FILES: u32 = 5;
/// Docker's `max-buffer-size`.
const BUFFER: u64 = 1_000_000;

/// How a log's files are kept.
#[expect(clippy::struct_field_names, reason = "docker's names")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Files {
    /// Bytes after which another file is begun.
    pub(crate) max_size: Option<u64>,
    /// How many there are at most.
    pub(crate) max_files: u32,
    /// Whether finished ones are compressed.
    pub(crate) compress: bool,
}

impl Driver {
    /// The names of all that there are, in the order of the alphabet.
    pub fn names() -> Vec<&'static str> {
        let mut names = DRIVERS.map(|(name, _)| name).to_vec();
        names.sort_unstable();
        names
    }

    /// Docker's name for it.
    pub fn name(self) -> &'static str {
        DRIVERS.iter().find(|(_, driver)| *driver == self).map_or("none", |(name, _)| name)
    }

    fn parse(text: &str) -> Result<Driver> {
        let known = || DRIVERS.map(|(name, _)| name).join(", ");
        match DRIVERS.iter().find(|(name, _)| *name == text) {
            Some((_, driver)) => Ok(*driver),
            None if FOREIGN.contains(&text) => {
                Err(Error::unsupported(format!("--log-driver {text}: this log driver is not supported"))
                    .with_hint(format!("there are {}", known())))
            }
            None => Err(Error::invalid(format!("--log-driver {text}: there is no such log driver"))
                .with_hint(format!("there are {}", known()))),
        }
    }

    fn options(self) -> Vec<&'static str> {
        let own: &[&[&str]] = match self {
            Driver::JsonFile | Driver::Local | Driver::K8sFile => &[&FILES, &ATTRIBUTES],
            Driver::Journald => &[&ATTRIBUTES],
            Driver::None => &[],
        };
        own.concat().into_iter().chain(DELIVERY).collect()
    }
}

impl Logging {
    /// Parses `--log-driver` and all `--log-opt`.
    ///
    /// # Errors
    /// `Unsupported` for a driver that only others have, `Invalid` for what is none, for an option that the driver has not,
    /// and for a value that makes no sense.
    pub fn parse(driver: Option<&str>, options: &[String]) -> Result<Logging> {
        let driver = driver.filter(|text| !text.is_empty()).map_or(Ok(Driver::default()), Driver::parse)?;
        let mut logging = Logging { driver, options: BTreeMap::new() };
        for text in options {
            let Some((key, value)) = text.split_once('=') else {
                return Err(Error::invalid(format!("--log-opt {text}: there is no value"))
                    .with_hint("write it as KEY=VALUE, such as max-size=10m"));
            };
            if !driver.options().contains(&key) {
                let message = format!("--log-opt {text}: unknown log opt '{key}' for {} log driver", driver.name());
                return Err(Error::invalid(message).with_hint(format!("it has {}", driver.options().join(", "))));
            }
            logging.options.insert(key.to_owned(), value.to_owned());
        }
        logging.files()?;
        logging.buffer()?;
        logging.pattern("labels-regex")?;
        logging.pattern("env-regex")?;
        logging.tag(|_| Some(String::new()))?;
        Ok(logging)
    }

    fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    fn invalid(&self, key: &str, why: &str) -> Error {
        Error::invalid(format!("--log-opt {key}={}: {why}", self.option(key).unwrap_or_default()))
    }

    fn size(&self, key: &str) -> Result<Option<u64>> {
        let Some(text) = self.option(key) else { return Ok(None) };
        match decimal_size(text) {
            Some(0) => Err(self.invalid(key, "not more than 0 bytes")),
            Some(size) => Ok(Some(size)),
            None => {
                Err(self.invalid(key, "not a size").with_hint("give a number with a unit of 1000, such as 500k or 10m"))
            }
        }
    }

    fn switch(&self, key: &str) -> Result<Option<bool>> {
        let wrong = || self.invalid(key, "neither true nor false");
        self.option(key).map(|value| notation::truth(value).ok_or_else(wrong)).transpose()
    }

    /// How the files are kept.
    pub(crate) fn files(&self) -> Result<Files> {
        let (size, files, compress) = match self.driver {
            Driver::Local => (Some(LOCAL_SIZE), LOCAL_FILES, true),
            _ => (None, 1, false),
        };
        let max_size = self.size("max-size")?.or(size);
        let max_files = match self.option("max-file") {
            None => files,
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| self.invalid("max-file", "not a number of files of at least 1"))?,
        };
        if max_files > 1 && max_size.is_none() {
            return Err(self
                .invalid("max-file", "there is only one file without a max-size")
                .with_hint("add --log-opt max-size=10m"));
        }
        let compress = self.switch("compress")?.unwrap_or(compress && max_files > 1);
        if compress && max_files < 2 {
            let why = "only finished files are compressed, and there is none with max-file below 2 or without max-size";
            return Err(self.invalid("compress", why));
        }
        Ok(Files { max_size, max_files, compress })
    }

    /// How much may wait to be written, with `mode=non-blocking`.
    pub(crate) fn buffer(&self) -> Result<Option<u64>> {
        let size = self.size("max-buffer-size")?;
        match self.option("mode") {
            Some("non-blocking") => Ok(Some(size.unwrap_or(BUFFER))),
            None | Some("blocking") if size.is_some() => {
                Err(self.invalid("max-buffer-size", "there is a buffer only with mode=non-blocking"))
            }
            None | Some("blocking") => Ok(None),
            Some(_) => Err(self.invalid("mode", "neither blocking nor non-blocking")),
        }
    }

    fn pattern(&self, key: &str) -> Result<Option<Regex>> {
        let Some(text) = self.option(key) else { return Ok(None) };
        Regex::new(text).map(Some).map_err(|_| self.invalid(key, "not a regular expression"))
    }

    /// Whether environment variables are asked for.
    pub(crate) fn wants_environment(&self) -> bool {
        self.option("env").is_some() || self.option("env-regex").is_some()
    }

    /// The tag, its `{{.Field}}` filled in; None if there is no such option.
    pub(crate) fn tag(&self, field: impl Fn(&str) -> Option<String>) -> Result<Option<String>> {
        let Some(text) = self.option("tag") else { return Ok(None) };
        let unknown = |what: &str| {
            let hint = format!("the fields are {}", TAG_FIELDS.map(|field| format!("{{{{.{field}}}}}")).join(", "));
            self.invalid("tag", what).with_hint(hint)
        };
        let (mut tag, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, after) = after.split_once("}}").ok_or_else(|| unknown("{{ without }}"))?;
            let name = inside.trim().strip_prefix('.').filter(|name| TAG_FIELDS.contains(name));
            let value = name.and_then(&field).ok_or_else(|| unknown(&format!("{{{{{inside}}}}} is no field")))?;
            tag.push_str(before);
            tag.push_str(&value);
            rest = after;
        }
        tag.push_str(rest);
        Ok(Some(tag))
    }

    /// The labels and variables that are asked for.
    pub(crate) fn attributes(
        &self,
        labels: &BTreeMap<String, String>,
        environment: &[String],
    ) -> Result<BTreeMap<String, String>> {
        let variables = environment.iter().filter_map(|variable| variable.split_once('='));
        let labels = labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let mut attributes = BTreeMap::new();
        self.choose("labels", labels, &mut attributes)?;
        self.choose("env", variables, &mut attributes)?;
        Ok(attributes)
    }

    fn choose<'a>(
        &self,
        key: &str,
        all: impl Iterator<Item = (&'a str, &'a str)>,
        chosen: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let names: Vec<&str> = self.option(key).into_iter().flat_map(|names| names.split(',')).collect();
        let pattern = self.pattern(&format!("{key}-regex"))?;
        for (name, value) in all {
            if names.contains(&name) || pattern.as_ref().is_some_and(|pattern| pattern.is_match(name)) {
                chosen.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(())
    }
}

/// What a tag may say of a container.
const TAG_FIELDS: [&str; 7] = ["ID", "FullID", "Name", "ImageName", "ImageID", "ImageFullID", "DaemonName"];

/// A size as docker reads those of logs: units are powers of 1000.
fn decimal_size(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match lower[digits.len()..].trim_end_matches('b').trim_end_matches('i') {
        "" if !lower.ends_with("ib") => 1,
        "k" => 1000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        _ => return None,
    };
    let (number, _) = notation::amount::Decimal::parse(digits.trim_end())?.times(factor)?;
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(driver: &str, options: &[&str]) -> Result<Logging> {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        Logging::parse(Some(driver), &options)
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let cases: [(&str, &[&str], &str); 17] = [
            ("syslog", &[], "--log-driver syslog: this log driver is not supported"),
            ("paper", &[], "--log-driver paper: there is no such log driver"),
            ("json-file", &["max-size"], "--log-opt max-size: there is no value"),
            ("json-file", &["color=red"], "--log-opt color=red: unknown log opt 'color' for json-file log driver"),
            ("journald", &["max-size=1m"], "unknown log opt 'max-size' for journald"),
            ("none", &["tag=x"], "unknown log opt 'tag' for none"),
            ("json-file", &["max-size=big"], "--log-opt max-size=big: not a size"),
            ("json-file", &["max-size=0"], "not more than 0 bytes"),
            ("json-file", &["max-size=1m", "max-file=0"], "--log-opt max-file=0: not a number of files"),
            ("json-file", &["max-file=3"], "only one file without a max-size"),
            ("json-file", &["max-size=1m", "compress=true"], "only finished files are compressed"),
            ("json-file", &["max-size=1m", "max-file=2", "compress=maybe"], "neither true nor false"),
            ("json-file", &["mode=fast"], "neither blocking nor non-blocking"),
            ("json-file", &["max-buffer-size=1m"], "there is a buffer only with mode=non-blocking"),
            ("json-file", &["env-regex=("], "--log-opt env-regex=(: not a regular expression"),
            ("journald", &["tag={{.Nope}}"], "--log-opt tag={{.Nope}}: {{.Nope}} is no field"),
            ("journald", &["tag={{.ID"], "{{ without }}"),
        ];
        for (driver, options, expected) in cases {
            let error = parse(driver, options).expect_err(expected).to_string();
            assert!(error.contains(expected), "{driver} {options:?}: {error}");
        }
    }

    #[test]
    fn files_are_kept_as_docker_keeps_them() {
        type Case<'a> = (&'a str, &'a [&'a str], (Option<u64>, u32, bool));
        let cases: [Case<'_>; 6] = [
            ("json-file", &[], (None, 1, false)),
            ("json-file", &["max-size=10m"], (Some(10_000_000), 1, false)),
            ("json-file", &["max-size=1.5k", "max-file=3", "compress=true"], (Some(1500), 3, true)),
            ("local", &[], (Some(20_000_000), 5, true)),
            ("local", &["max-file=1"], (Some(20_000_000), 1, false)),
            ("local", &["compress=false"], (Some(20_000_000), 5, false)),
        ];
        for (driver, options, (max_size, max_files, compress)) in cases {
            let files = parse(driver, options).expect("makes sense").files().expect("was checked");
            assert_eq!(files, Files { max_size, max_files, compress }, "{driver} {options:?}");
        }
    }

    #[test]
    fn attributes_are_chosen_by_name_and_pattern() {
        let logging = parse("json-file", &["labels=a,b", "env=HOME", "env-regex=^X_"]).expect("makes sense");
        let labels = [("a", "1"), ("c", "3")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let environment = ["HOME=/", "X_1=y", "PATH=/bin"].map(str::to_owned);
        let chosen = logging.attributes(&labels, &environment).expect("was checked");
        assert_eq!(
            chosen.into_iter().collect::<Vec<_>>(),
            [("HOME".to_owned(), "/".to_owned()), ("X_1".to_owned(), "y".to_owned()), ("a".to_owned(), "1".to_owned()),]
        );
    }

    #[test]
    fn a_tag_is_filled_in() {
        let logging = parse("journald", &["tag=x/{{.Name}}-{{ .ID }}!"]).expect("makes sense");
        let tag = logging.tag(|field| Some(format!("<{field}>"))).expect("was checked");
        assert_eq!(tag.as_deref(), Some("x/<Name>-<ID>!"));
    }

    proptest::proptest! {
        #[test]
        fn no_words_make_it_panic(driver in "[a-z0-9-]{0,10}", options in proptest::collection::vec("(.|[=.{}a-z0-9]){0,20}", 0..4)) {
            let _ = Logging::parse(Some(&driver), &options);
            let _ = Logging::parse(None, &options.iter().map(|text| format!("max-size={text}")).collect::<Vec<_>>());
            let _ = Logging::parse(None, &options.iter().map(|text| format!("tag={text}")).collect::<Vec<_>>());
        }
    }
}
