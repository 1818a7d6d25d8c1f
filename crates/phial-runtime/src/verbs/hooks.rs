//! Programs that a configuration wants to be run on the host at points of a container's life (runtime-spec `config.md`,
//! "POSIX-platform Hooks"), and the state of the container that they read.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use oci_spec::runtime::{Hook, Spec};
use runtime::Error;
use runtime::launch::Helper;
use runtime::plan::HookPoint;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Serialize;

use super::SPEC_VERSION;
use super::trace::Trace;
use crate::container::{Container, Status};
use crate::failure::Result;

/// What hooks are, and what they read.
pub(crate) struct Hooks<'a> {
    id: &'a str,
    bundle: &'a Path,
    spec: &'a Spec,
    trace: Option<&'a mut Trace>,
}

/// The state of a container (runtime-spec `runtime.md`).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct State<'a> {
    pub(super) oci_version: &'a str,
    pub(super) id: &'a str,
    pub(super) status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pid: Option<i32>,
    pub(super) bundle: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotations: Option<&'a std::collections::HashMap<String, String>>,
}

impl<'a> State<'a> {
    /// That of a container as it is now.
    pub(super) fn of(container: &'a Container, spec: &'a Spec) -> Result<State<'a>> {
        let status = container.status()?;
        let saved = &container.saved;
        Ok(State {
            oci_version: SPEC_VERSION,
            id: &saved.id,
            status: status.name(),
            pid: Some(if status == Status::Stopped { 0 } else { saved.init_process_pid }),
            bundle: saved.bundle.clone(),
            annotations: spec.annotations().as_ref(),
        })
    }
}

impl<'a> Hooks<'a> {
    pub(crate) fn new(id: &'a str, bundle: &'a Path, spec: &'a Spec) -> Hooks<'a> {
        Hooks { id, bundle, spec, trace: None }
    }

    /// Tells of each step as it is done.
    pub(super) fn traced(self, trace: &'a mut Trace) -> Hooks<'a> {
        Hooks { trace: Some(trace), ..self }
    }

    fn state_at<'s>(&'s self, status: &'s str, pid: Option<i32>) -> State<'s> {
        State {
            oci_version: SPEC_VERSION,
            id: self.id,
            status,
            pid,
            bundle: self.bundle.to_owned(),
            annotations: self.spec.annotations().as_ref(),
        }
    }

    fn json(&self, status: &str, pid: Option<i32>) -> Vec<u8> {
        serde_json::to_vec(&self.state_at(status, pid)).unwrap_or_default()
    }

    fn list(&self, name: &str) -> &'a [Hook] {
        let Some(hooks) = self.spec.hooks() else { return &[] };
        let list = match name {
            "prestart" => hooks.prestart(),
            "createRuntime" => hooks.create_runtime(),
            "poststart" => hooks.poststart(),
            "poststop" => hooks.poststop(),
            _ => return &[],
        };
        list.as_deref().unwrap_or_default()
    }

    /// Runs those after the start; the first that fails ends it.
    pub(super) fn after_start(&self, pid: i32) -> runtime::Result<()> {
        run_all("poststart", self.list("poststart"), &self.json("running", Some(pid)))
    }

    /// Runs those after the end. All are run; what fails is told to `warn`.
    pub(super) fn after_stop(&self, warn: &mut dyn FnMut(&Error)) {
        for hook in self.list("poststop") {
            if let Err(error) = run("poststop", hook, &self.json("stopped", None)) {
                warn(&error);
            }
        }
    }
}

impl Helper for Hooks<'_> {
    fn write_maps(&mut self, process: Pid) -> runtime::Result<()> {
        runtime::idmap::write(self.spec, process)
    }

    fn run_hooks(&mut self, process: Pid) -> runtime::Result<()> {
        let state = self.json("creating", Some(process.as_raw_nonzero().get()));
        run_all("prestart", self.list("prestart"), &state)?;
        run_all("createRuntime", self.list("createRuntime"), &state)
    }

    fn state(&self, process: Pid, point: HookPoint) -> Vec<u8> {
        let status = if point == HookPoint::StartContainer { "created" } else { "creating" };
        self.json(status, Some(process.as_raw_nonzero().get()))
    }

    fn traces(&self) -> bool {
        self.trace.as_ref().is_some_and(|trace| trace.is_wanted())
    }

    fn done(&mut self, what: &dyn std::fmt::Display, took: std::time::Duration) {
        if let Some(trace) = &mut self.trace {
            trace.done(what, took);
        }
    }

    fn take_listener(&mut self, process: Pid, listener: OwnedFd) -> runtime::Result<()> {
        let state = self.state_at("creating", Some(process.as_raw_nonzero().get()));
        super::listener::send(self.spec, state, process, &listener)
    }
}

fn run_all(name: &str, hooks: &[Hook], state: &[u8]) -> runtime::Result<()> {
    hooks.iter().try_for_each(|hook| run(name, hook, state))
}

fn run(name: &str, hook: &Hook, state: &[u8]) -> runtime::Result<()> {
    let what = format!("hooks.{name}: {}", hook.path().display());
    let failed = |cause: &dyn std::fmt::Display| Error::system(&what, cause);
    let mut child = spawn(hook).map_err(|error| {
        failed(&error).with_hint("it must be a program on the host; a script needs its interpreter there as well")
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook need not read it.
        stdin.write_all(state).ok();
    }
    if let Some(seconds) = hook.timeout()
        && !ends_within(&child, seconds).map_err(|errno| failed(&errno))?
    {
        child.kill().ok();
        child.wait().ok();
        return Err(failed(&format!("did not end within {seconds} s, and was killed")));
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(&status)),
        Err(error) => Err(failed(&error)),
    }
}

/// Starts it with its own environment and nothing of ours (CVE-2025-23266).
fn spawn(hook: &Hook) -> std::io::Result<Child> {
    let mut command = Command::new(hook.path());
    if let Some((name, arguments)) = hook.args().as_deref().and_then(<[String]>::split_first) {
        command.arg0(name).args(arguments);
    }
    command.env_clear();
    for variable in hook.env().as_deref().unwrap_or_default() {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        command.env(name, value);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
}

fn ends_within(child: &Child, seconds: i64) -> rustix::io::Result<bool> {
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let limit = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Ok(poll(&mut [PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN)], Some(&limit))? > 0)
}
