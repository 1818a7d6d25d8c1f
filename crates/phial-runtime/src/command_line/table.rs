//! Every verb and every option: what is understood, and what `--help` says.

use std::fmt::Write;
use std::ops::RangeInclusive;
use std::process::ExitCode;

use super::flags::{CHECKPOINT, EVENTS, RESTORE, UPDATE};
use super::{Global, Words};
use crate::failure::Result;
use crate::verbs;

/// Whether an option has a value, and what it is called.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Takes {
    Nothing,
    Value(&'static str),
}

/// An option.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) takes: Takes,
    pub(crate) help: &'static str,
}

/// A verb.
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    /// How it is written, without the program's name.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flags: &'static [Flag],
    /// How many arguments it may have.
    pub(crate) arguments: RangeInclusive<usize>,
    /// After so many arguments everything is one, options too: it is another program's.
    pub(crate) raw_after: Option<usize>,
    /// Whether a process of a container is made, which begins as a copy of this one.
    pub(crate) makes_processes: bool,
    pub(crate) run: fn(&Global, &Words) -> Result<ExitCode>,
}

pub(super) const fn switch(long: &'static str, help: &'static str) -> Flag {
    Flag { long, short: None, takes: Takes::Nothing, help }
}

pub(super) const fn value(long: &'static str, name: &'static str, help: &'static str) -> Flag {
    Flag { long, short: None, takes: Takes::Value(name), help }
}

impl Flag {
    pub(super) const fn or(self, letter: char) -> Flag {
        Flag { short: Some(letter), ..self }
    }
}

pub(super) const HELP: Flag = switch("help", "this text").or('h');

pub(super) const GLOBAL: &[Flag] = &[
    value("root", "DIR", "where containers are kept (/run/phial-runtime; not as root: below $XDG_RUNTIME_DIR)"),
    value("log", "FILE", "write errors there as well"),
    value("log-format", "FORMAT", "of that file: text (default) or json"),
    value("rootless", "BOOL", "whether cgroups that cannot be made are done without: true, false or auto (default)"),
    switch("systemd-cgroup", "have systemd make the cgroup; linux.cgroupsPath is slice:prefix:name then"),
    value("cgroup-manager", "WHO", "who makes cgroups: cgroupfs (default), systemd, or disabled for no cgroup at all"),
    value("criu", "FILE", "the program criu, for checkpoint and restore"),
    switch("debug", "write more into the log"),
    value("log-level", "LEVEL", "debug does what --debug does; info, warning and error write what is written anyway"),
    switch("version", "the version").or('v'),
];

pub(super) const BUNDLE: Flag = value("bundle", "DIR", "the bundle: config.json and the root file system (.)").or('b');
pub(super) const CONFIG: Flag =
    value("config", "FILE", "the configuration, in place of the bundle's config.json").or('f');
pub(super) const CONSOLE: Flag = value("console-socket", "SOCKET", "unix socket that gets the terminal's master");
pub(super) const PID_FILE: Flag = value("pid-file", "FILE", "where the process's pid is written");
pub(super) const PIDFD_SOCKET: Flag = value("pidfd-socket", "SOCKET", "unix socket that gets a pidfd of the process");
const PRESERVE: Flag = value("preserve-fds", "N", "pass N descriptors after the standard streams on");
const NO_KEYRING: Flag = switch("no-new-keyring", "keep the caller's session keyring");
pub(super) const NO_PIVOT: Flag = switch("no-pivot", "where the host's root is an initramfs: move the root over it");
pub(super) const DETACH: Flag = switch("detach", "leave the process in the background").or('d');

pub(super) const NO_SUBREAPER: Flag = switch("no-subreaper", "do not adopt processes that lose their parent");
pub(super) const KEEP: Flag = switch("keep", "do not delete the container when its process has ended");

const CREATE: &[Flag] = &[BUNDLE, CONFIG, CONSOLE, PID_FILE, PIDFD_SOCKET, PRESERVE, NO_KEYRING, NO_PIVOT];
const RUN: &[Flag] = &[
    BUNDLE,
    CONFIG,
    CONSOLE,
    PID_FILE,
    PIDFD_SOCKET,
    PRESERVE,
    NO_KEYRING,
    NO_PIVOT,
    DETACH,
    switch("trace", "print each step as it is done, with its duration, on stderr"),
    NO_SUBREAPER,
    KEEP,
];
const EXEC: &[Flag] = &[
    CONSOLE,
    value("cwd", "DIR", "working directory in the container"),
    value("env", "NAME=VALUE", "set a variable; may be given several times").or('e'),
    switch("tty", "give the process a terminal").or('t'),
    value("user", "UID[:GID]", "who the process is").or('u'),
    value("additional-gids", "GID", "one more group; may be given several times").or('g'),
    value("process", "FILE", "the process, as in config.json").or('p'),
    DETACH,
    PID_FILE,
    PIDFD_SOCKET,
    value("apparmor", "PROFILE", "AppArmor profile of the process"),
    value("process-label", "LABEL", "SELinux label of the process"),
    switch("no-new-privs", "rule out gaining privileges by executing files"),
    value("cap", "CAPABILITY", "one more capability; may be given several times").or('c'),
    PRESERVE,
    value("cgroup", "[CONTROLLER:]PATH", "join a cgroup below the container's; may be given several times on v1"),
    switch("ignore-paused", "do not refuse a paused container"),
];
const REGEX: Flag = switch("regex", "ID is a regular expression: all containers whose ids it fits").or('r');
const DELETE: &[Flag] = &[switch("force", "kill the container if it runs; no error if there is none").or('f'), REGEX];
const KILL: &[Flag] = &[switch("all", "signal every process of the container").or('a'), REGEX];
const LIST: &[Flag] =
    &[value("format", "FORMAT", "table (default) or json").or('f'), switch("quiet", "ids only").or('q')];
const PS: &[Flag] = &[value("format", "FORMAT", "table (default) or json").or('f')];
const SPEC: &[Flag] = &[BUNDLE, switch("rootless", "a configuration for who is not root")];
const PLAN: &[Flag] = &[BUNDLE, CONFIG, value("format", "FORMAT", "text (default) or json").or('f')];

/// All of them, in the order of the help.
const VERBS: &[Verb] = &[
    Verb {
        name: "run",
        usage: "run [OPTION…] ID",
        about: "create a container, start it, and wait for its end",
        flags: RUN,
        arguments: 1..=1,
        raw_after: None,
        makes_processes: true,
        run: verbs::run::run,
    },
    Verb {
        name: "create",
        usage: "create [OPTION…] ID",
        about: "create a container; its process waits for 'start'",
        flags: CREATE,
        arguments: 1..=1,
        raw_after: None,
        makes_processes: true,
        run: verbs::create::run,
    },
    Verb {
        name: "start",
        usage: "start ID",
        about: "start the process of a created container",
        flags: &[],
        arguments: 1..=1,
        raw_after: None,
        makes_processes: false,
        run: verbs::start::run,
    },
    Verb {
        name: "exec",
        usage: "exec [OPTION…] ID COMMAND [ARGUMENT…]",
        about: "run a further process in a container",
        flags: EXEC,
        arguments: 1..=usize::MAX,
        raw_after: Some(1),
        makes_processes: true,
        run: verbs::exec::run,
    },
    Verb {
        name: "state",
        usage: "state ID",
        about: "print the state of a container as JSON",
        flags: &[],
        arguments: 1..=1,
        raw_after: None,
        makes_processes: false,
        run: verbs::state::run,
    },
    Verb {
        name: "list",
        usage: "list [OPTION…]",
        about: "list containers",
        flags: LIST,
        arguments: 0..=0,
        raw_after: None,
        makes_processes: false,
        run: verbs::list::run,
    },
    Verb {
        name: "ps",
        usage: "ps [OPTION…] ID [PS-OPTION…]",
        about: "list the processes of a container",
        flags: PS,
        arguments: 1..=usize::MAX,
        raw_after: Some(1),
        makes_processes: false,
        run: verbs::ps::run,
    },
    Verb {
        name: "kill",
        usage: "kill [OPTION…] ID [SIGNAL]",
        about: "send a signal (TERM) to the container's process",
        flags: KILL,
        arguments: 1..=2,
        raw_after: None,
        makes_processes: false,
        run: verbs::kill::run,
    },
    Verb {
        name: "delete",
        usage: "delete [OPTION…] ID",
        about: "remove a container that has ended",
        flags: DELETE,
        arguments: 1..=1,
        raw_after: None,
        makes_processes: false,
        run: verbs::delete::run,
    },
    Verb {
        name: "pause",
        usage: "pause ID",
        about: "freeze all processes of a container",
        flags: &[],
        arguments: 1..=1,
        raw_after: None,
        makes_processes: false,
        run: verbs::pause::pause,
    },
    Verb {
        name: "resume",
        usage: "resume ID",
        about: "let the processes of a paused container go on",
        flags: &[],
        arguments: 1..=1,
        raw_after: None,
        makes_processes: false,
        run: verbs::pause::resume,
    },
    Verb {
        name: "update",
        usage: "update [OPTION…] ID",
        about: "change the limits of a container",
        flags: UPDATE,
        arguments: 1..=1,
        raw_after: None,
        makes_processes: false,
        run: verbs::update::run,
    },
    Verb {
        name: "events",
        usage: "events [OPTION…] ID",
        about: "print what a container uses, and notices of memory that it did not get, as JSON",
        flags: EVENTS,
        arguments: 1..=1,
        raw_after: None,
        makes_processes: false,
        run: verbs::events::run,
    },
    Verb {
        name: "checkpoint",
        usage: "checkpoint [OPTION…] ID",
        about: "write a running container into files, with criu",
        flags: CHECKPOINT,
        arguments: 1..=1,
        raw_after: None,
        makes_processes: false,
        run: verbs::checkpoint::run,
    },
    Verb {
        name: "restore",
        usage: "restore [OPTION…] ID",
        about: "make a container of what 'checkpoint' has written",
        flags: RESTORE,
        arguments: 1..=1,
        raw_after: None,
        makes_processes: false,
        run: verbs::restore::run,
    },
    Verb {
        name: "features",
        usage: "features",
        about: "print what this program can do as JSON (runtime-spec, features.md)",
        flags: &[],
        arguments: 0..=0,
        raw_after: None,
        makes_processes: false,
        run: verbs::features::run,
    },
    Verb {
        name: "spec",
        usage: "spec [OPTION…]",
        about: "write a config.json to begin with",
        flags: SPEC,
        arguments: 0..=0,
        raw_after: None,
        makes_processes: false,
        run: verbs::spec::run,
    },
    Verb {
        name: "plan",
        usage: "plan [OPTION…]",
        about: "print the steps that make a container, without doing any",
        flags: PLAN,
        arguments: 0..=0,
        raw_after: None,
        makes_processes: false,
        run: verbs::plan::run,
    },
];

/// The verb of this name.
pub(super) fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// The text of `--help` before a verb.
pub(super) fn help_of_all() -> String {
    let mut text = String::from(
        "phial-runtime: makes containers from OCI bundles; runc's command line\n\n\
         Usage: phial-runtime [OPTION…] COMMAND [OPTION…] [ARGUMENT…]\n\nCommands:\n",
    );
    for verb in VERBS {
        writeln!(text, "  {:<10} {}", verb.name, verb.about).expect("a String takes every write");
    }
    text.push_str("  supervise  for phial: start the container that the request on descriptor 3 describes, and stay\n");
    text.push_str("\nOptions:\n");
    list(GLOBAL, &mut text);
    text
}

/// The text of `--help` after a verb.
pub(super) fn help(verb: &Verb) -> String {
    let mut text =
        format!("phial-runtime {}: {}\n\nUsage: phial-runtime {}\n\nOptions:\n", verb.name, verb.about, verb.usage);
    list(verb.flags, &mut text);
    text
}

fn list(flags: &[Flag], text: &mut String) {
    for flag in flags.iter().chain([&HELP]) {
        let short = flag.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let long = match flag.takes {
            Takes::Nothing => format!("--{}", flag.long),
            Takes::Value(name) => format!("--{} {name}", flag.long),
        };
        writeln!(text, "  {short}{long:<26} {}", flag.help).expect("a String takes every write");
    }
}
