//! Staying with a process in the foreground: signals go to it, its terminal is the user's, its status comes back.

/// Bytes between the user's terminal and the process's.
mod terminal;

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, pidfd_send_signal, wait};
use sys::clone::Child;

use self::terminal::Terminal;
use crate::failure::{Failure, Result};
pub(super) use terminal::window;

/// Signals that wait here instead of ending this program. Made before the process is, so that none is lost.
pub(super) struct Signals(OwnedFd);

impl Signals {
    pub(super) fn hold() -> Result<Signals> {
        let all = sys::signal::Set::full();
        all.block();
        all.descriptor().map(Signals).map_err(|errno| Failure::system("signalfd", errno))
    }
}

/// Waits for the end of the process and returns its status as a shell gives it.
pub(super) fn until_end(child: &Child, console: Option<OwnedFd>, signals: &Signals) -> Result<u8> {
    let mut terminal = console.map(Terminal::take).transpose()?;
    loop {
        let ready = ready(signals, terminal.as_ref())?;
        if ready.signal
            && let Some(code) = take_signals(child, signals, terminal.as_ref())?
        {
            // What it wrote last is still in its terminal.
            terminal.iter_mut().for_each(Terminal::drain);
            return Ok(code);
        }
        if let Some(terminal) = &mut terminal {
            terminal.copy(ready.typed, ready.output);
        }
    }
}

/// What there is to be done.
#[derive(Default)]
struct Ready {
    signal: bool,
    typed: bool,
    output: bool,
}

fn ready(signals: &Signals, terminal: Option<&Terminal>) -> Result<Ready> {
    let mut list = vec![PollFd::new(&signals.0, PollFlags::IN)];
    let (input, output) = terminal.map_or((None, None), |terminal| (terminal.input(), terminal.output()));
    for descriptor in [input, output].into_iter().flatten() {
        list.push(PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
    }
    match poll(&mut list, None) {
        Ok(_) => {}
        Err(Errno::INTR) => return Ok(Ready::default()),
        Err(errno) => return Err(Failure::system("poll", errno)),
    }
    let mut ready = list.iter().map(|entry| !entry.revents().is_empty());
    let mut next = |is_there: bool| is_there && ready.next().unwrap_or(false);
    Ok(Ready { signal: next(true), typed: next(input.is_some()), output: next(output.is_some()) })
}

/// The status, if the process is among those that have ended; every other signal goes to it.
fn take_signals(child: &Child, signals: &Signals, terminal: Option<&Terminal>) -> Result<Option<u8>> {
    while let Some(signal) = sys::signal::take(&signals.0) {
        match Signal::from_named_raw(signal) {
            Some(Signal::CHILD) => {
                if let Some(code) = reap(child)? {
                    return Ok(Some(code));
                }
            }
            Some(Signal::WINCH) if terminal.is_some() => terminal.iter().for_each(|terminal| terminal.resize()),
            // About this program's own pipes and sockets.
            Some(Signal::PIPE | Signal::URG) => {}
            _ => {
                if let Some(signal) = sys::signal::number(signal) {
                    pidfd_send_signal(child.pidfd.as_fd(), signal).ok();
                }
            }
        }
    }
    Ok(None)
}

/// The status, if the process has ended. Others that have ended before it are reaped.
fn reap(child: &Child) -> Result<Option<u8>> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child.pid => {
                let status =
                    status.exit_status().unwrap_or_else(|| 128 + status.terminating_signal().unwrap_or_default());
                return Ok(Some(u8::try_from(status).unwrap_or(u8::MAX)));
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(Errno::CHILD) => return Ok(None),
            Err(errno) => return Err(Failure::system("wait", errno)),
        }
    }
}
