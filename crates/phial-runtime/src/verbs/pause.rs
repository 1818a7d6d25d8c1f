//! `pause` and `resume`: all processes of a container, frozen and let go.

use std::process::ExitCode;

use crate::command_line::{Global, Words};
use crate::container::{Container, Status};
use crate::failure::{Failure, Result};

/// Freezes a running container.
pub(crate) fn pause(global: &Global, words: &Words) -> Result<ExitCode> {
    let container = Container::load(global, words.argument(0)?)?;
    match container.status()? {
        Status::Running | Status::Created => container.cgroups()?.freeze()?,
        status => return Err(Failure::new(format!("container not running: {}", status.name()))),
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets a paused container go on.
pub(crate) fn resume(global: &Global, words: &Words) -> Result<ExitCode> {
    let container = Container::load(global, words.argument(0)?)?;
    let cgroups = container.cgroups()?;
    if container.status()? == Status::Stopped || !cgroups.is_frozen()? {
        return Err(Failure::new("container not paused"));
    }
    cgroups.thaw()?;
    Ok(ExitCode::SUCCESS)
}
