//! `delete`: what is left of a container goes.

use std::process::ExitCode;

use oci_spec::runtime::Spec;
use runtime::cgroup::Cgroups;
use runtime::resctrl::Wanted;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Signal, pidfd_send_signal};

use super::hooks::Hooks;
use super::root_mount;
use crate::command_line::{Global, Words};
use crate::container::{Container, Status};
use crate::failure::{Failure, Result};

/// Deletes a container, or with `--regex` several.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let (id, force) = (words.argument(0)?, words.has("force"));
    if words.has("regex") {
        let found = Container::matching(global, id)?;
        each(&found, |container| delete(global, container, force))?;
        return Ok(ExitCode::SUCCESS);
    }
    let container = match Container::load(global, id) {
        Ok(container) => container,
        Err(failure) if !force => return Err(failure),
        Err(_) => {
            crate::container::clear(global, id)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    delete(global, &container, force)?;
    Ok(ExitCode::SUCCESS)
}

/// Does the same with all of them; the first error is told when all were tried.
pub(super) fn each(containers: &[Container], act: impl FnMut(&Container) -> Result<()>) -> Result<()> {
    containers.iter().map(act).fold(Ok(()), Result::and)
}

/// Deletes one, if it has ended, was not started, or is to be killed.
pub(super) fn delete(global: &Global, container: &Container, force: bool) -> Result<()> {
    match container.status()? {
        Status::Stopped => {}
        Status::Created => end(container)?,
        Status::Running | Status::Paused if force => end(container)?,
        status => {
            let id = &container.saved.id;
            let message = format!("cannot delete container {id} that is not stopped: {}", status.name());
            return Err(Failure::new(message).with_hint("kill it first, or use --force"));
        }
    }
    remove(global, container)
}

/// Kills every process, and waits until the first one has ended.
fn end(container: &Container) -> Result<()> {
    let Some(process) = container.process() else { return Ok(()) };
    container.cgroups()?.signal_all(Signal::KILL)?;
    pidfd_send_signal(&process, Signal::KILL).ok();
    loop {
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], None) {
            Err(Errno::INTR) => {}
            other => return other.map(drop).map_err(|errno| Failure::system("waiting for the container's end", errno)),
        }
    }
}

/// Removes a container whose first process has ended, with what is left in its cgroups.
fn remove(global: &Global, container: &Container) -> Result<()> {
    let spec = container.config();
    clear(global, container, &container.cgroups()?, spec.as_ref().ok())
}

/// As [`remove`], for who has made the container himself and still knows everything of it.
pub(super) fn clear(global: &Global, container: &Container, cgroups: &Cgroups, spec: Option<&Spec>) -> Result<()> {
    // Without a pid namespace of its own, processes outlive the first one.
    cgroups.kill_and_remove()?;
    if let Some(shares) = spec.and_then(|spec| Wanted::of(spec, &container.saved.id).ok().flatten()) {
        shares.remove()?;
    }
    root_mount::remove(&container.saved);
    container.forget()?;
    if let Some(spec) = spec {
        let saved = &container.saved;
        Hooks::new(&saved.id, &saved.bundle, spec)
            .after_stop(&mut |error| global.log.write("warning", &error.to_string()));
    }
    Ok(())
}
