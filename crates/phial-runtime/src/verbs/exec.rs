//! `exec`: a further process in a container.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use oci_spec::runtime::{Capability, LinuxCapabilities, Process, Spec};
use runtime::cgroup::{self, Cgroups};
use runtime::launch::{Helper, Inputs, Launched, Target, launch};
use runtime::plan::{Confinement, Plan, Streams};
use rustix::process::Pid;

use super::hooks::State;
use super::listener;
use super::make::{end, preserved};
use super::notify::Notify;
use super::{root_mount, stay};
use crate::command_line::{Global, Words};
use crate::container::{Container, Status};
use crate::failure::{Failure, Result};

/// Runs the process.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let container = Container::load(global, words.argument(0)?)?;
    match container.status()? {
        Status::Stopped => return Err(Failure::new("cannot exec in a stopped container")),
        Status::Paused if !words.has("ignore-paused") => {
            return Err(Failure::new("cannot exec in a paused container (use --ignore-paused to override)"));
        }
        _ => {}
    }
    let detached = words.has("detach");
    let spec = container.config()?;
    let process = process(words, &spec)?;
    let notify = Notify::of(words, process.terminal().unwrap_or(false), detached)?;
    let signals = (!detached).then(stay::Signals::hold).transpose()?;
    let mut launched = start(&container, &spec, &process, words)?;
    let console = match notify.tell(&launched.child, launched.console.take()) {
        Ok(console) => console,
        Err(failure) => {
            end(&launched);
            return Err(failure);
        }
    };
    let Some(signals) = signals else { return Ok(ExitCode::SUCCESS) };
    stay::until_end(&launched.child, console, &signals).map(ExitCode::from)
}

fn start(container: &Container, spec: &Spec, process: &Process, words: &Words) -> Result<Launched> {
    let hierarchies = if container.saved.cgroups.is_empty() { Vec::new() } else { cgroup::detect()? };
    let confinement = Confinement::of(spec, &container.saved.id)?;
    let streams = Streams::Inherited { preserved: preserved(words)? };
    let shown = process.terminal().unwrap_or(false) && !words.has("detach");
    let window = if shown { stay::window() } else { None };
    let plan = Plan::exec(process, &hierarchies, window, confinement, streams)?;
    let cgroups = cgroups(container, words)?;
    let pidfd = container.process().ok_or_else(|| Failure::new("cannot exec in a stopped container"))?;
    let root = root_mount::root_of(&container.saved)?;
    let root = root.as_ref().map(AsFd::as_fd);
    let target = Target { pidfd: pidfd.as_fd(), namespaces: container.saved.namespaces, root };
    let mut helper = listener::Further { spec, state: State::of(container, spec)? };
    let helper: Option<&mut dyn Helper> = Some(&mut helper);
    let inputs =
        Inputs { cgroups: &cgroups, stdio: None, target: Some(target), die_with_parent: false, helper, network: None };
    Ok(launch(&plan, inputs)?)
}

/// The container's cgroups, or those below them that `--cgroup` names: `PATH`, or `CONTROLLER[,CONTROLLER…]:PATH`.
fn cgroups(container: &Container, words: &Words) -> Result<Cgroups> {
    let mut cgroups = container.cgroups()?;
    let given = words.texts("cgroup")?;
    if let Some(one) = given.iter().find(|one| !one.contains(':')).filter(|_| given.len() > 1) {
        return Err(Failure::new(format!("--cgroup {one}: of several each needs a controller: CONTROLLER:PATH")));
    }
    for one in &given {
        let (controllers, path) = one.split_once(':').unwrap_or(("", one));
        let controllers: Vec<&str> = controllers.split(',').filter(|controller| !controller.is_empty()).collect();
        cgroups.descend(&controllers, Path::new(path))?;
    }
    if given.is_empty()
        && let Some(process) = Pid::from_raw(container.saved.init_process_pid)
    {
        cgroups.descend_to(process)?;
    }
    Ok(cgroups)
}

/// The process: that of a file, or the container's own with what the options change.
fn process(words: &Words, spec: &Spec) -> Result<Process> {
    if let Some(path) = words.path("process") {
        let text = std::fs::read(&path).map_err(|error| Failure::system(path.display(), error))?;
        return serde_json::from_slice(&text).map_err(|error| Failure::system(path.display(), error));
    }
    let own = spec.process().as_ref().ok_or_else(|| Failure::new("process: is missing in the configuration"))?;
    let mut process = own.clone();
    let arguments = (1..words.arguments.len()).map(|index| words.argument(index).map(str::to_owned));
    let arguments = arguments.collect::<Result<Vec<_>>>()?;
    if arguments.is_empty() {
        return Err(Failure::new("process args cannot be empty: give a command, or --process"));
    }
    process.set_args(Some(arguments)).set_terminal(Some(words.has("tty")));
    if let Some(directory) = words.path("cwd") {
        process.set_cwd(directory);
    }
    let mut environment = process.env().clone().unwrap_or_default();
    environment.extend(words.texts("env")?);
    process.set_env(Some(environment));
    if words.has("no-new-privs") {
        process.set_no_new_privileges(Some(true));
    }
    if let Some(profile) = words.text("apparmor")? {
        process.set_apparmor_profile(Some(profile.to_owned()));
    }
    if let Some(label) = words.text("process-label")? {
        process.set_selinux_label(Some(label.to_owned()));
    }
    user(words, &mut process)?;
    capabilities(words, &mut process)?;
    Ok(process)
}

/// `--user` and `--additional-gids`: numbers, and out of range is an error (CVE-2024-40635, CVE-2026-30892).
fn user(words: &Words, process: &mut Process) -> Result<()> {
    let id = |text: &str, option: &str| {
        text.parse::<u32>().ok().filter(|id| *id < u32::MAX).ok_or_else(|| {
            Failure::new(format!("--{option} {text}: is no id: a number below {}", u32::MAX))
                .with_hint("names are the caller's to look up, in /etc/passwd and /etc/group of the container")
        })
    };
    let mut user = process.user().clone();
    if let Some(text) = words.text("user")? {
        let (uid, gid) = text.split_once(':').map_or((text, None), |(uid, gid)| (uid, Some(gid)));
        user.set_uid(id(uid, "user")?);
        if let Some(gid) = gid {
            user.set_gid(id(gid, "user")?);
        }
    }
    let more = words.texts("additional-gids")?;
    if !more.is_empty() {
        let more = more.iter().map(|text| id(text, "additional-gids")).collect::<Result<Vec<u32>>>()?;
        let groups = user.additional_gids().iter().flatten().copied().chain(more).collect();
        user.set_additional_gids(Some(groups));
    }
    process.set_user(user);
    Ok(())
}

/// `--cap`: into all sets but the inheritable one (CVE-2022-29162).
fn capabilities(words: &Words, process: &mut Process) -> Result<()> {
    let more = words.texts("cap")?;
    if more.is_empty() {
        return Ok(());
    }
    let more = more.iter().map(|name| {
        serde_json::from_value::<Capability>(name.as_str().into()).map_err(|_| {
            Failure::new(format!("--cap {name}: is no capability")).with_hint("see capabilities(7) for those there are")
        })
    });
    let more = more.collect::<Result<Vec<_>>>()?;
    let mut sets: LinuxCapabilities = process.capabilities().clone().unwrap_or_default();
    let with = |set: &Option<std::collections::HashSet<oci_spec::runtime::Capability>>| {
        Some(set.iter().flatten().copied().chain(more.iter().copied()).collect())
    };
    let (bounding, effective, permitted) = (with(sets.bounding()), with(sets.effective()), with(sets.permitted()));
    sets.set_bounding(bounding).set_effective(effective).set_permitted(permitted);
    process.set_capabilities(Some(sets));
    Ok(())
}
