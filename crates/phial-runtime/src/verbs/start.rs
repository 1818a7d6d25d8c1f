//! `start`: the process of a created container becomes its program.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::hooks::Hooks;
use crate::command_line::{Global, Words};
use crate::container::{Container, Status};
use crate::failure::{Failure, Result};

/// Starts a container.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let container = Container::load(global, words.argument(0)?)?;
    match container.status()? {
        Status::Created => {}
        Status::Stopped => return Err(Failure::new("cannot start a container that has stopped")),
        Status::Running => return Err(Failure::new("cannot start an already running container")),
        Status::Paused => return Err(Failure::new("cannot start a container in the paused state")),
    }
    open_gate(&container)?;
    let spec = container.config()?;
    let saved = &container.saved;
    let hooks = Hooks::new(&saved.id, &saved.bundle, &spec);
    if let Err(error) = hooks.after_start(saved.init_process_pid) {
        container.cgroups()?.signal_all(rustix::process::Signal::KILL)?;
        return Err(error.into());
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets the process go on. The gate can be opened once: whoever removes it is the one who has started the container.
fn open_gate(container: &Container) -> Result<()> {
    let path = container.gate();
    let failed = |errno: Errno| Failure::system(path.display(), errno);
    let gate: OwnedFd =
        match rustix::fs::open(&path, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NXIO) => return Err(Failure::new("cannot start a container that has stopped")),
            Err(Errno::NOENT) => return Err(Failure::new("cannot start an already running container")),
            other => other.map_err(failed)?,
        };
    match rustix::fs::unlink(&path) {
        Err(Errno::NOENT) => return Err(Failure::new("cannot start an already running container")),
        other => other.map_err(failed)?,
    }
    rustix::io::write(&gate, b"s").map(drop).map_err(failed)
}
