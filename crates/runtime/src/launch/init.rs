//! A small init: pid 1 of a container that stays, passes signals on and reaps. No allocation.
//!
//! It is this very program, already without privileges, and never executes anything; so nothing has to be put into the
//! container for it.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

/// Stays as pid 1 with a child that runs `rest`, and ends as the child does. Only an error comes back.
pub(super) fn stay_with(die_with_parent: bool, rest: impl FnOnce() -> i32) -> Errno {
    if die_with_parent && let Err(errno) = super::work::die_with_parent() {
        return errno;
    }
    let every = sys::signal::Set::full();
    every.block();
    // SAFETY: this process was cloned from one with a single thread and has started none.
    #[expect(unsafe_code, reason = "pid 1 needs a child, made the same way it was made itself")]
    let child = unsafe { sys::clone::fork(|| lead(rest)) };
    match child {
        Ok(pid) => sys::exec::exit(stay(pid, every)),
        Err(errno) => errno,
    }
}

/// The child leads a process group of its own, in the foreground of the terminal if there is one, so that what is typed
/// there does not reach pid 1 as well.
fn lead(rest: impl FnOnce() -> i32) -> i32 {
    if rustix::process::setpgid(None, None).is_ok() {
        // Fails where stdin is no terminal. SIGTTOU is still blocked.
        rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpid()).ok();
    }
    rest()
}

fn stay(child: Pid, signals: sys::signal::Set) -> i32 {
    const BROKEN: i32 = 125;
    if sys::exec::close_from(3).is_err() {
        return BROKEN;
    }
    rustix::thread::set_name(c"phial-init").ok();
    loop {
        let signal = signals.wait();
        if signal == Signal::CHILD.as_raw() {
            if let Some(status) = reap(child) {
                return status;
            }
        } else if let Some(signal) = sys::signal::number(signal) {
            kill_process(child, signal).ok();
        }
    }
}

/// Reaps everything that has ended; the exit status once the child is among it.
fn reap(child: Pid) -> Option<i32> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => {
                return Some(status.exit_status().unwrap_or_else(|| 128 + status.terminating_signal().unwrap_or(0)));
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}
