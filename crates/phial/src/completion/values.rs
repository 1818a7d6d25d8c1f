//! What values flags and arguments have. What they are called in the help says which: `CONTAINER`, `FILE`.

use clap::Arg;
use engine::config::CapabilityChoice;
use engine::config::logging::Driver;

use super::live::{self, Containers};
use super::{Answer, Candidate};
use crate::commands::build as build_flags;
use crate::context::Context;

/// That paths of this host can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paths {
    Files,
    Directories,
}

/// What a value is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) context: &'a Context,
    /// Name of the command, without its group.
    pub(super) command: &'a str,
    /// What its `--filter` knows.
    pub(super) filters: &'static [&'static str],
    /// What is there of the word.
    pub(super) typed: &'a str,
}

const SIGNALS: &[&str] = &[
    "SIGABRT", "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGINT", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP",
    "SIGTERM", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGUSR2", "SIGWINCH",
];

/// Words that a flag takes, whatever the command.
const WORDS: &[(&str, &[&str])] = &[
    ("allow", &build_flags::RIGHTS),
    ("call", &build_flags::METHODS),
    ("cgroupns", &["host", "private"]),
    ("format", &["json", "table "]),
    ("ipc", &["none", "private", "shareable", "host", "container:"]),
    ("network", &["none", "host", "container:"]),
    ("pid", &["host", "container:"]),
    (
        "platform",
        &["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/ppc64le", "linux/riscv64", "linux/s390x"],
    ),
    ("progress", &build_flags::PROGRESS),
    ("provenance", &["true", "false", "mode=min", "mode=max"]),
    ("pull", &["always", "missing", "never"]),
    ("restart", &["no", "always", "unless-stopped", "on-failure", "on-failure:"]),
    ("sbom", &["true", "false"]),
    ("security-opt", &["no-new-privileges", "seccomp=unconfined", "seccomp=", "apparmor=unconfined", "label=disable"]),
    ("signal", SIGNALS),
    ("stop-signal", SIGNALS),
    ("type", &["container", "image", "network", "volume"]),
    ("userns", &["host"]),
    ("uts", &["host"]),
];

/// Values of filters.
const FILTER_VALUES: &[(&str, &[&str])] = &[
    ("all", &["true", "false"]),
    ("dangling", &["true", "false"]),
    ("driver", &["local"]),
    ("inuse", &["true", "false"]),
    ("health", &["starting", "healthy", "unhealthy", "none"]),
    ("is-automated", &["true", "false"]),
    ("is-official", &["true", "false"]),
    ("is-task", &["true", "false"]),
    ("private", &["true", "false"]),
    ("scope", &["local"]),
    ("shared", &["true", "false"]),
    ("status", &engine::CONTAINER_STATES),
    ("type", &["container", "image", "network", "volume"]),
];

/// The same of the cache of builds.
const CACHE_FILTER_VALUES: &[(&str, &[&str])] = &[("type", &build::CACHE_KINDS)];

/// The same of networks.
const NETWORK_FILTER_VALUES: &[(&str, &[&str])] =
    &[("driver", &["bridge", "host", "ipvlan", "macvlan", "null"]), ("type", &["builtin", "custom"])];

impl Asked<'_> {
    /// The values of a flag.
    pub(super) fn of_flag(self, argument: &Arg) -> Answer {
        let possible = possible(argument);
        if !possible.is_empty() {
            return (possible, None);
        }
        let name = argument.get_long().unwrap_or_default();
        let mut found = match (name, self.typed) {
            ("filter", typed) => self.of_filter(typed),
            ("network" | "pid" | "ipc", typed) if typed.starts_with("container:") => {
                let names = live::containers(self.context, Containers::Running, "");
                names.into_iter().map(|c| Candidate::new(format!("container:{}", c.text), c.about)).collect()
            }
            // A build is in no container's network.
            ("network", _) if self.command == "build" => {
                let own = ["default", "none", "host"].map(|word| Candidate::new(word, ""));
                [own.to_vec(), live::networks(self.context)].concat()
            }
            ("network", _) => [words(WORDS, name), live::networks(self.context)].concat(),
            ("cap-add" | "cap-drop", _) => {
                CapabilityChoice::names().iter().map(|name| Candidate::new(name, "")).collect()
            }
            ("log-driver", _) => Driver::names().into_iter().map(|name| Candidate::new(name, "")).collect(),
            ("volume", typed) if !typed.starts_with(['/', '.', '~']) => live::volumes(self.context),
            ("volumes-from", typed) => live::containers(self.context, Containers::All, typed),
            _ => words(WORDS, name),
        };
        let value = value_name(argument);
        let (further, mut paths) = if found.is_empty() { self.of_name(value) } else { (Vec::new(), None) };
        found.extend(further);
        if matches!(name, "volume" | "device" | "cidfile" | "env-file" | "label-file" | "output" | "input") {
            paths = Some(Paths::Files);
        }
        (found, paths)
    }

    /// What an argument can be.
    pub(super) fn of_argument(self, argument: &Arg) -> Answer {
        let possible = possible(argument);
        if possible.is_empty() { self.of_name(value_name(argument)) } else { (possible, None) }
    }

    /// What the help calls a value says what it is.
    fn of_name(self, name: &str) -> Answer {
        let found = match name {
            "CONTAINER" => live::containers(self.context, self.containers(), self.typed),
            "NETWORK" => live::networks(self.context),
            "CONTAINER[:ALIAS]" => live::containers(self.context, Containers::All, self.typed),
            "VOLUME" => live::volumes(self.context),
            "NAME|ID" => {
                let mut all = live::containers(self.context, Containers::All, self.typed);
                all.extend(live::images(self.context, self.typed));
                all.extend(live::networks(self.context));
                all.extend(live::volumes(self.context));
                all
            }
            "SIGNAL" => words(WORDS, "signal"),
            name if name.contains("IMAGE") || name.contains("REPOSITORY") => live::images(self.context, self.typed),
            _ => Vec::new(),
        };
        let paths = match name {
            "DIR" | "PATH|URL|-" => Some(Paths::Directories),
            _ if name.contains("FILE") || name.contains("PATH") || name.contains("ARCHIVE") => Some(Paths::Files),
            // The two ends of `cp`: a path of a container, or one of this host.
            _ if name.contains("SRC") || name.contains("DST") || name.contains("DEST") => {
                let names = live::containers(self.context, Containers::All, "");
                let names = names.into_iter().map(|c| Candidate::new(format!("{}:", c.text), c.about));
                return (names.collect(), Some(Paths::Files));
            }
            _ => None,
        };
        (found, paths)
    }

    /// Which containers the command can do something with.
    fn containers(self) -> Containers {
        match self.command {
            "attach" | "exec" | "kill" | "pause" | "port" | "stats" | "stop" | "top" => Containers::Running,
            "start" => Containers::Stopped,
            "unpause" => Containers::Paused,
            _ => Containers::All,
        }
    }

    fn of_filter(self, typed: &str) -> Vec<Candidate> {
        if let Some((key, _)) = typed.split_once('=') {
            let joined = |value: Candidate| Candidate::new(format!("{key}={}", value.text), value.about);
            let values = match key {
                "ancestor" | "image" | "reference" => live::images(self.context, ""),
                "before" | "since" if self.filters.contains(&"reference") => live::images(self.context, ""),
                "network" => live::networks(self.context),
                "name" if self.filters.contains(&"type") => live::networks(self.context),
                "name" if self.filters.contains(&"driver") => live::volumes(self.context),
                "type" if self.filters.contains(&"shared") => words(CACHE_FILTER_VALUES, key),
                "driver" | "type" if self.filters.contains(&"type") && self.filters.contains(&"driver") => {
                    words(NETWORK_FILTER_VALUES, key)
                }
                "before" | "since" | "container" | "name" => live::containers(self.context, Containers::All, ""),
                "volume" => live::volumes(self.context),
                _ => words(FILTER_VALUES, key),
            };
            return values.into_iter().map(joined).collect();
        }
        self.filters.iter().map(|key| Candidate::new(format!("{key}="), "")).collect()
    }
}

fn words(table: &[(&str, &[&str])], name: &str) -> Vec<Candidate> {
    let found = table.iter().find(|(known, _)| *known == name).map(|(_, words)| *words).unwrap_or_default();
    found.iter().map(|word| Candidate::new(*word, "")).collect()
}

fn possible(argument: &Arg) -> Vec<Candidate> {
    if !argument.get_action().takes_values() {
        return Vec::new();
    }
    let values = argument.get_possible_values();
    let about = |help: Option<&clap::builder::StyledStr>| help.map(ToString::to_string).unwrap_or_default();
    let shown = values.iter().filter(|value| !value.is_hide_set());
    shown.map(|value| Candidate::new(value.get_name(), about(value.get_help()))).collect()
}

fn value_name(argument: &Arg) -> &str {
    argument.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str())
}
