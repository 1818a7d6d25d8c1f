//! `run`: `create` and `start` in one, and, unless detached, waiting for the end.

use std::process::ExitCode;

use rustix::process::{Pid, set_child_subreaper};

use super::hooks::Hooks;
use super::make::{Begin, Made, make};
use super::{delete, stay};
use crate::command_line::{Global, Words};
use crate::failure::{Failure, Result};

/// Runs a container.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let detached = words.has("detach");
    if !detached && !words.has("no-subreaper") {
        // Processes of a container without a pid namespace of its own become ours to reap. Any number says yes.
        set_child_subreaper(Some(Pid::INIT)).ok();
    }
    let signals = (!detached).then(stay::Signals::hold).transpose()?;
    let begin = if detached { Begin::Detached } else { Begin::AtOnce };
    let mut made = make(global, words, words.argument(0)?, begin)?;
    if let Err(failure) = start(&mut made) {
        made.discard();
        return Err(failure);
    }
    let Some(signals) = signals else { return Ok(ExitCode::SUCCESS) };
    let console = made.console();
    let code = stay::until_end(&made.launched.child, console, &signals)?;
    if !words.has("keep") {
        delete::clear(global, &made.container, &made.cgroups, Some(&made.spec))?;
    }
    // This process ends now: the kernel closes its descriptors faster than they are closed one by one.
    std::mem::forget((made, signals));
    Ok(ExitCode::from(code))
}

fn start(made: &mut Made) -> Result<()> {
    let Made { container, launched, plan, spec, trace, .. } = made;
    let saved = &container.saved;
    trace.mark("note its state");
    launched.go_on(plan, &mut Hooks::new(&saved.id, &saved.bundle, spec).traced(trace))?;
    trace.mark("execute the program");
    trace.total("in all");
    Hooks::new(&saved.id, &saved.bundle, spec).after_start(saved.init_process_pid).map_err(Failure::from)
}
