//! What a container was asked to be: docker's flags as typed, serializable data, and their parsers.
//!
//! Parsers are pure: text in, value or an error that names the flag and the value out. Nothing here looks at the host,
//! but for [`env::parse`] and [`env::parse_file`], which are handed the host's environment as a function.

pub mod capability;
pub mod env;
pub mod mount;
pub mod security;
pub mod signal;
pub mod size;
pub mod ulimit;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use capability::CapabilityChoice;
pub use mount::{Mount, MountKind, Propagation, RecursiveReadOnly};
pub use security::{Seccomp, SecurityOption};
pub use signal::Signal;
pub use ulimit::Ulimit;

use crate::error::{Error, Result};

/// Everything `create` and `run` take, as docker's flags have it. Kept in the store as JSON: fields are only ever added.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, which is there or not")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerConfig {
    /// The image, as the user typed it.
    pub image: String,
    /// What stands after the image on the command line; replaces the image's command if not empty.
    pub command: Vec<String>,
    /// `--entrypoint`. `Some` of an empty list or of one empty string drops the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// `--env-file`, then `-e`: `KEY=VALUE`, or `KEY` alone, which removes the image's variable.
    pub env: Vec<String>,
    /// `-w`.
    pub working_dir: Option<String>,
    /// `-u`: `user[:group]`, names or numbers.
    pub user: Option<String>,
    /// `--hostname`; the first twelve digits of the id otherwise.
    pub hostname: Option<String>,
    /// `-t`.
    pub tty: bool,
    /// `-i`.
    pub open_stdin: bool,
    /// `-d`.
    pub detach: bool,
    /// `--name`; a random one otherwise.
    pub name: Option<String>,
    /// `--rm`.
    pub auto_remove: bool,
    /// `-v`, `--mount` and `--tmpfs`, in the order given.
    pub mounts: Vec<Mount>,
    /// `--read-only`.
    pub read_only: bool,
    /// `--network`.
    pub network: Network,
    /// `-m`, bytes.
    pub memory: Option<u64>,
    /// `--cpus`, billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// `--pids-limit`; None is no limit.
    pub pids_limit: Option<u32>,
    /// `--cap-add`.
    pub cap_add: Vec<CapabilityChoice>,
    /// `--cap-drop`.
    pub cap_drop: Vec<CapabilityChoice>,
    /// `--security-opt`.
    pub security_opt: Vec<SecurityOption>,
    /// `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// `--init`.
    pub init: bool,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--stop-signal`; the image's, or SIGTERM, otherwise.
    pub stop_signal: Option<Signal>,
    /// `--stop-timeout`, seconds; 10 otherwise.
    pub stop_timeout: Option<u32>,
}

/// Which network namespace a container gets (`--network`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// One of its own with nothing but a loopback interface. Also what no `--network` means as long as there is no
    /// bridge network.
    #[default]
    None,
    /// The host's.
    Host,
}

impl Network {
    /// Parses `--network`.
    ///
    /// # Errors
    /// `Unsupported` for docker's other modes and for names of networks.
    pub fn parse(text: &str) -> Result<Network> {
        match text {
            "none" => Ok(Network::None),
            "host" => Ok(Network::Host),
            "" => {
                Err(Error::invalid("--network: the value is empty").with_hint("use --network none or --network host"))
            }
            other => Err(Error::unsupported(format!("--network {other}: this version knows only none and host"))
                .with_hint("use --network host to reach other machines, or --network none")),
        }
    }

    /// The name docker gives it.
    pub fn name(self) -> &'static str {
        match self {
            Network::None => "none",
            Network::Host => "host",
        }
    }
}

/// Everything `exec` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecConfig {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// `-e` and `--env-file`, as in [`ContainerConfig::env`].
    pub env: Vec<String>,
    /// `-w`; the container's otherwise.
    pub working_dir: Option<String>,
    /// `-u`; the container's otherwise.
    pub user: Option<String>,
    /// `-t`.
    pub tty: bool,
    /// `-i`.
    pub open_stdin: bool,
    /// `-d`.
    pub detach: bool,
}

/// Parses `--pids-limit`: 0 and -1 are no limit.
///
/// # Errors
/// `Invalid` for what is not a number or too large for one.
pub fn parse_pids_limit(text: &str) -> Result<Option<u32>> {
    let invalid = || Error::invalid(format!("--pids-limit {text}: not a number of processes, and not -1"));
    match text.parse::<i64>().map_err(|_| invalid())? {
        -1 | 0 => Ok(None),
        number => u32::try_from(number).map(Some).map_err(|_| invalid()),
    }
}

/// Parses `--label KEY[=VALUE]`.
///
/// # Errors
/// `Invalid` for an empty key.
pub fn parse_label(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err(Error::invalid(format!("--label {text}: the name is empty")));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Parses `--hostname`: what RFC 1123 calls a name, at most 63 characters (sethostname(2) takes 64).
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_hostname(text: &str) -> Result<String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 63 && text.split('.').all(label) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("--hostname {text}: not a host name"))
        .with_hint("use letters, digits, '-' and '.', at most 63 characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (text, expected) in
            [("none", Some(Network::None)), ("host", Some(Network::Host)), ("", None), ("web", None)]
        {
            assert_eq!(Network::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn pids_limits() {
        let cases = [
            ("-1", Some(None)),
            ("0", Some(None)),
            ("7", Some(Some(7))),
            ("-2", None),
            ("x", None),
            ("4294967296", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_pids_limit(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn labels() {
        let cases = [("a=b", Some(("a", "b"))), ("a", Some(("a", ""))), ("a=b=c", Some(("a", "b=c"))), ("=b", None)];
        for (text, expected) in cases {
            let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
            assert_eq!(parse_label(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn hostnames() {
        for good in ["a", "web-1", "db.example", "a_b"] {
            assert!(parse_hostname(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a..b", "a b", "a/b", "a\nb", &"x".repeat(64)] {
            assert!(parse_hostname(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_config_of_an_older_version_is_read() {
        let config: ContainerConfig = serde_json::from_str(r#"{"image":"alpine","memory":1}"#).expect("is JSON");
        assert_eq!((config.image.as_str(), config.memory, config.tty), ("alpine", Some(1), false));
    }

    proptest::proptest! {
        #[test]
        fn no_words_make_a_parser_panic(text in "(.|[:,=./0-9a-zA-Z]){0,30}") {
            let here = std::path::Path::new("/here");
            for mount in [Mount::parse_volume(&text, here), Mount::parse_mount(&text, here), Mount::parse_tmpfs(&text)] {
                proptest::prop_assert!(mount.is_err() || mount.is_ok_and(|mount| mount.target.is_absolute()));
            }
            let _ = (Ulimit::parse(&text), Signal::parse("-s", &text), CapabilityChoice::parse("--cap-add", &text));
            let _ = (size::parse_memory(&text), size::parse_cpus(&text), env::parse(&text, |_| None));
            let _ = (env::parse_file("f", text.as_bytes(), |_| None), parse_hostname(&text), parse_label(&text));
        }
    }
}
