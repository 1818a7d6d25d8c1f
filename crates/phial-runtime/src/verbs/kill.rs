//! `kill`: a signal for a container.

use std::process::ExitCode;

use rustix::process::{Signal, pidfd_send_signal};

use super::delete::each;
use crate::command_line::{Global, Words};
use crate::container::{Container, Status};
use crate::failure::{Failure, Result};

/// Sends a signal to a container, or with `--regex` to several.
pub(crate) fn run(global: &Global, words: &Words) -> Result<ExitCode> {
    let id = words.argument(0)?;
    let signal = if words.arguments.len() > 1 { parse(words.argument(1)?)? } else { Signal::TERM };
    let containers =
        if words.has("regex") { Container::matching(global, id)? } else { vec![Container::load(global, id)?] };
    each(&containers, |container| send(container, signal, words.has("all")))?;
    Ok(ExitCode::SUCCESS)
}

fn send(container: &Container, signal: Signal, all: bool) -> Result<()> {
    let shares_pids = container.saved.namespaces & sys::clone::namespace::PID == 0;
    let everyone = all || (signal == Signal::KILL && shares_pids);
    if everyone && !container.saved.cgroups.is_empty() {
        container.cgroups()?.signal_all(signal)?;
        return Ok(());
    }
    let not_running = || Failure::new("container not running");
    let process = container.process().ok_or_else(not_running)?;
    pidfd_send_signal(&process, signal).map_err(|_| not_running())?;
    // What is frozen does not even die.
    if signal == Signal::KILL && container.status()? == Status::Paused {
        container.cgroups()?.thaw()?;
    }
    Ok(())
}

/// A signal by number, or by name with or without `SIG`.
fn parse(text: &str) -> Result<Signal> {
    let unknown = || Failure::new(format!("unknown signal {text:?}")).with_hint("a number, or a name such as TERM");
    runtime::signal::parse(text).and_then(sys::signal::number).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, signal) in
            [("9", Signal::KILL), ("KILL", Signal::KILL), ("sigterm", Signal::TERM), ("15", Signal::TERM)]
        {
            assert_eq!(parse(text).ok(), Some(signal), "{text}");
        }
        for text in ["", "0", "65", "-1", "SIG", "NOSUCH", "33"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
