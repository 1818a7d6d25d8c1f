//! From words to a verb: runc's command line, read with one table.
//!
//! Options before the verb are the program's, those after it the verb's. The text of `--help` comes from the same
//! table, so an option cannot be there and be unknown.

/// Options of verbs that have many.
mod flags;
/// Which options there are.
mod table;
/// The options of one call.
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::failure::{self, Failure, Log, Result};
use crate::{sealed, supervise};
pub(crate) use table::{Flag, Verb};
pub(crate) use words::Words;

/// Exit status of a call that makes no sense, as runc's.
const USAGE: u8 = 1;

/// What the options before the verb say.
#[derive(Debug)]
pub(crate) struct Global {
    /// Where containers are kept.
    pub(crate) root: Option<std::path::PathBuf>,
    /// Who makes the cgroups of a new container.
    pub(crate) cgroups: CgroupManager,
    /// Who writes processes into files, if it is not the one on the search path.
    pub(crate) criu: Option<std::path::PathBuf>,
    /// `--rootless`, if it says something.
    pub(crate) rootless: Option<bool>,
    /// Where errors go besides stderr.
    pub(crate) log: Log,
}

/// Who makes the cgroups of a new container; those of one that is there are remembered with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CgroupManager {
    /// This program, as directories.
    Cgroupfs,
    /// systemd, as a unit.
    Systemd,
    /// Nobody: the container has none.
    Disabled,
}

/// Does what the arguments ask for.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mut parser = lexopt::Parser::from_args(arguments);
    let (global, verb) = match begin(&mut parser) {
        Ok(Beginning::Verb(global, verb)) => (global, verb),
        Ok(Beginning::Said(code)) => return code,
        Err(failure) => return failure.report(&Log::default(), USAGE),
    };
    let code = if verb.name == "exec" { failure::EXEC } else { failure::ORDINARY };
    let result = Words::of_verb(verb, &mut parser).and_then(|words| {
        if words.has("help") {
            return failure::print(&table::help(verb)).map(|()| ExitCode::SUCCESS);
        }
        global.log.debug(|| format!("{} {:?}", verb.name, words.arguments));
        if verb.makes_processes {
            sealed::ensure()?;
        }
        (verb.run)(&global, &words)
    });
    result.unwrap_or_else(|failure| failure.report(&global.log, code))
}

enum Beginning {
    Verb(Global, &'static Verb),
    Said(ExitCode),
}

fn begin(parser: &mut lexopt::Parser) -> Result<Beginning> {
    let (words, verb) = Words::before_verb(parser)?;
    if words.has("version") {
        let version = env!("CARGO_PKG_VERSION");
        return failure::print(&format!("phial-runtime version {version}\nspec: {}\n", crate::verbs::SPEC_VERSION))
            .map(|()| Beginning::Said(ExitCode::SUCCESS));
    }
    if words.has("help") || verb.as_deref() == Some("help") {
        return failure::print(&table::help_of_all()).map(|()| Beginning::Said(ExitCode::SUCCESS));
    }
    let Some(name) = verb else {
        return Err(Failure::new("a command is missing: phial-runtime --help lists them"));
    };
    match name.as_str() {
        "supervise" => return Ok(Beginning::Said(supervise::run())),
        supervise::WRITE_LOG => return Ok(Beginning::Said(supervise::write_log())),
        supervise::COMPRESS_LOG => {
            return Ok(Beginning::Said(supervise::compress_log(&parser.value().unwrap_or_default())));
        }
        _ => {}
    }
    let verb = table::find(&name)
        .ok_or_else(|| Failure::new(format!("{name:?} is no command: phial-runtime --help lists them")))?;
    Ok(Beginning::Verb(global(&words)?, verb))
}

fn global(words: &Words) -> Result<Global> {
    let rootless = match words.text("rootless")? {
        None | Some("auto") => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(other) => return Err(Failure::new(format!("--rootless {other}: is none of true, false, auto"))),
    };
    let log = Log::new(words.path("log"), words.text("log-format")?, debug(words)?)?;
    Ok(Global { root: words.path("root"), cgroups: cgroup_manager(words)?, criu: words.path("criu"), rootless, log })
}

/// `--cgroup-manager`, and `--systemd-cgroup` for one of its values.
fn cgroup_manager(words: &Words) -> Result<CgroupManager> {
    let systemd = words.has("systemd-cgroup");
    match words.text("cgroup-manager")?.or(systemd.then_some("systemd")) {
        Some("systemd") => Ok(CgroupManager::Systemd),
        Some(other) if systemd => {
            Err(Failure::new(format!("--cgroup-manager {other}: contradicts --systemd-cgroup: give one of them")))
        }
        None | Some("cgroupfs") => Ok(CgroupManager::Cgroupfs),
        Some("disabled") => Ok(CgroupManager::Disabled),
        Some(other) => {
            Err(Failure::new(format!("--cgroup-manager {other}: is none of cgroupfs, systemd and disabled")))
        }
    }
}

/// `--debug`, and `--log-level`, as other runtimes have it.
fn debug(words: &Words) -> Result<bool> {
    match words.text("log-level")?.map(str::to_ascii_lowercase).as_deref() {
        Some("debug" | "trace") => Ok(true),
        None | Some("info" | "warn" | "warning" | "error") => Ok(words.has("debug")),
        Some(other) => Err(Failure::new(format!("--log-level {other}: is none of debug, info, warning and error"))),
    }
}
