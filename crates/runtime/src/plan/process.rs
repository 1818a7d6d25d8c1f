//! Steps of the process itself: terminal, limits, working directory, ids, filter, program.
//!
//! Their order is the security of the whole: limits and directory while privileges last, then ids and capabilities,
//! the filter as late as the right to install it allows.

use std::ffi::CString;
use std::path::Path;

use oci_spec::runtime::{PosixRlimitType, Process, User};
use rustix::process::{Gid, Resource, Rlimit};
use sys::exec::StringArray;

use super::{
    Confinement, Credentials, Program, Rules, Source, StartMode, Step, Streams, c_string, container_path, labels,
    schedule,
};
use crate::capability::Sets;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::WindowSize;

/// Where programs are sought when the environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Most bytes of `HOME=` and a directory that was looked up.
const LONGEST_HOME: usize = 1024;

/// What distinguishes a container's first process from a further one.
pub(super) struct First<'a> {
    pub(super) init: bool,
    pub(super) window: Option<WindowSize>,
    pub(super) console_device: bool,
    pub(super) streams: Streams,
    pub(super) keyring: Option<&'a str>,
    pub(super) start: StartMode,
    /// Run just before the program.
    pub(super) hooks: Option<Step>,
}

/// Adds the process's steps, and says what it executes.
pub(super) fn add(
    process: &Process,
    first: First<'_>,
    confinement: &Confinement,
    steps: &mut Vec<Step>,
) -> Result<Program> {
    let user = process.user();
    steps.push(Step::NewSession);
    if let Some(name) = first.keyring {
        steps.extend(labels::of_keys(process)?);
        steps.push(Step::SessionKeyring(c_string(name.as_bytes(), "id")?));
    }
    if process.terminal().unwrap_or(false) {
        let window = first.window.or_else(|| console_size(process));
        steps.push(Step::Console { window, device: first.console_device });
    } else if first.streams == Streams::Given {
        steps.push(Step::Stdio { uid: user.uid() });
    } else {
        steps.push(Step::KeepStdio { uid: user.uid() });
    }
    for limit in process.rlimits().iter().flatten() {
        steps.push(rlimit(limit.typ(), limit.soft(), limit.hard())?);
    }
    schedule::add(process, steps)?;
    confinement.domain(steps)?;
    let directory = container_path(process.cwd());
    steps.push(Step::WorkingDirectory(c_string(directory.as_os_str().as_encoded_bytes(), "process.cwd")?));
    steps.push(Step::Umask(user.umask().unwrap_or(0o022)));
    let program = program(process, steps)?;
    steps.extend(confinement.landlock.iter().flat_map(Rules::allow));
    labels::of_program(process, steps)?;
    add_privileges(process, confinement, steps)?;
    if first.init {
        steps.push(Step::Init);
    }
    match first.start {
        StartMode::AtOnce => {}
        StartMode::Asked => steps.push(Step::AwaitCaller),
        StartMode::Gate(path) => steps.extend([Step::FindProgram, Step::AwaitStart(Source::StartGate(path))]),
    }
    steps.extend(first.hooks);
    steps.push(Step::Execute);
    Ok(program)
}

/// Comes early: whoever has entered a user namespace may not lower it any more.
pub(super) fn oom_score(process: &Process) -> Result<Option<Step>> {
    let Some(score) = process.oom_score_adj() else { return Ok(None) };
    if !(-1000..=1000).contains(&score) {
        let message = format!("process.oomScoreAdj {score}: is not between -1000 and 1000");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(Some(Step::OomScore(c_string(score.to_string().as_bytes(), "process.oomScoreAdj")?)))
}

fn console_size(process: &Process) -> Option<WindowSize> {
    let size = process.console_size()?;
    let part = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
    Some(WindowSize { rows: part(size.height()), columns: part(size.width()) })
}

/// Without `no_new_privs` only a privileged process may install rules and a filter, so they come before the drop
/// (`seccomp(2)`, `landlock(7)`).
fn add_privileges(process: &Process, confinement: &Confinement, steps: &mut Vec<Step>) -> Result<()> {
    let rules = confinement.landlock.iter().map(Rules::restrict);
    let filter = confinement.seccomp.iter().map(|_| Step::Seccomp);
    let confine = rules.chain(filter);
    let credentials = Step::Credentials(credentials(process)?);
    if process.no_new_privileges().unwrap_or(false) {
        steps.extend([credentials, Step::NoNewPrivileges]);
        steps.extend(confine);
    } else {
        steps.extend(confine);
        steps.push(credentials);
    }
    Ok(())
}

/// The highest number is nobody's: to the system calls it means "no change", so that the process would stay root
/// (CVE-2024-40635).
fn check_ids(user: &User) -> Result<()> {
    let more = user.additional_gids().iter().flatten().map(|gid| ("additionalGids", *gid));
    match [("uid", user.uid()), ("gid", user.gid())].into_iter().chain(more).find(|(_, id)| *id == u32::MAX) {
        Some((field, id)) => {
            let message = format!("process.user.{field} {id}: is no id: a number below {id}");
            Err(Error::new(ErrorKind::Invalid, message))
        }
        None => Ok(()),
    }
}

fn credentials(process: &Process) -> Result<Credentials> {
    /// What the kernel takes (`NGROUPS_MAX`).
    const MOST_GROUPS: usize = 65_536;
    let user = process.user();
    check_ids(user)?;
    // Exactly these: who wants the primary group among them, as engines do since CVE-2022-36109, names it.
    let groups: Vec<Gid> = user.additional_gids().iter().flatten().map(|gid| Gid::from_raw(*gid)).collect();
    if groups.len() > MOST_GROUPS {
        let message = format!("process.user.additionalGids: {} groups; the kernel takes {MOST_GROUPS}", groups.len());
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let capabilities = process.capabilities().as_ref().map(Sets::of).unwrap_or_default();
    Ok(Credentials { uid: user.uid(), gid: user.gid(), groups, capabilities })
}

/// What is executed. A step for the home directory is added where the environment does not name it.
fn program(process: &Process, steps: &mut Vec<Step>) -> Result<Program> {
    let arguments = process.args().as_deref().unwrap_or_default();
    let name = arguments.first().ok_or_else(|| Error::new(ErrorKind::Invalid, "process.args: is empty"))?;
    if name.is_empty() {
        return Err(Error::new(ErrorKind::CommandNotFound, "process.args: the program's name is empty"));
    }
    let environment = unique(process.env().as_deref().unwrap_or_default());
    let strings = |list: &[String], field: &str| -> Result<Vec<CString>> {
        list.iter().map(|text| c_string(text.as_bytes(), field)).collect()
    };
    let candidates = candidates(name, &environment)?;
    let named = environment.iter().any(|entry| entry.starts_with("HOME="));
    let environment = strings(&environment, "process.env")?;
    let environment = if named {
        StringArray::new(environment)
    } else {
        steps.push(Step::Home { uid: process.user().uid() });
        StringArray::with_room(environment, c"HOME=/", LONGEST_HOME)
    };
    Ok(Program { candidates, arguments: StringArray::new(strings(arguments, "process.args")?), environment })
}

/// One entry per variable, the last one given wins and keeps its place. An empty home directory is none.
fn unique(environment: &[String]) -> Vec<String> {
    let key = |entry: &String| entry.split_once('=').map_or(entry.clone(), |(key, _)| key.to_owned());
    let mut kept: Vec<String> = Vec::with_capacity(environment.len());
    for entry in environment {
        match kept.iter_mut().find(|other| key(other) == key(entry)) {
            Some(other) => other.clone_from(entry),
            None => kept.push(entry.clone()),
        }
    }
    kept.retain(|entry| entry != "HOME=");
    kept
}

fn candidates(name: &str, environment: &[String]) -> Result<Vec<CString>> {
    if name.contains('/') {
        return Ok(vec![c_string(name.as_bytes(), "process.args")?]);
    }
    let path = environment.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let join = |directory: &str| {
        let directory = if directory.is_empty() { "." } else { directory };
        c_string(Path::new(directory).join(name).as_os_str().as_encoded_bytes(), "process.args")
    };
    path.split(':').map(join).collect()
}

fn rlimit(kind: PosixRlimitType, soft: u64, hard: u64) -> Result<Step> {
    let (name, resource) = match kind {
        PosixRlimitType::RlimitAs => ("as", Resource::As),
        PosixRlimitType::RlimitCore => ("core", Resource::Core),
        PosixRlimitType::RlimitCpu => ("cpu", Resource::Cpu),
        PosixRlimitType::RlimitData => ("data", Resource::Data),
        PosixRlimitType::RlimitFsize => ("fsize", Resource::Fsize),
        PosixRlimitType::RlimitLocks => ("locks", Resource::Locks),
        PosixRlimitType::RlimitMemlock => ("memlock", Resource::Memlock),
        PosixRlimitType::RlimitMsgqueue => ("msgqueue", Resource::Msgqueue),
        PosixRlimitType::RlimitNice => ("nice", Resource::Nice),
        PosixRlimitType::RlimitNofile => ("nofile", Resource::Nofile),
        PosixRlimitType::RlimitNproc => ("nproc", Resource::Nproc),
        PosixRlimitType::RlimitRss => ("rss", Resource::Rss),
        PosixRlimitType::RlimitRtprio => ("rtprio", Resource::Rtprio),
        PosixRlimitType::RlimitRttime => ("rttime", Resource::Rttime),
        PosixRlimitType::RlimitSigpending => ("sigpending", Resource::Sigpending),
        PosixRlimitType::RlimitStack => ("stack", Resource::Stack),
    };
    if soft > hard {
        let message = format!("process.rlimits {name}: the soft limit {soft} is above the hard limit {hard}");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let value = |number: u64| (number != u64::MAX).then_some(number);
    Ok(Step::Limit { name, resource, value: Rlimit { current: value(soft), maximum: value(hard) } })
}
