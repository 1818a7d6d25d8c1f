//! Hooks that the container's own first process runs. No allocation.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};

use crate::plan::Hook;

/// Runs them in order; the first that does not succeed ends it: `ETIMEDOUT`, or `ECHILD` for one with another status
/// than 0.
pub(super) fn run(hooks: &[Hook], state: BorrowedFd<'_>) -> rustix::io::Result<()> {
    hooks.iter().try_for_each(|hook| run_one(hook, state))
}

fn run_one(hook: &Hook, state: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::fs::seek(state, SeekFrom::Start(0))?;
    // SAFETY: this process was cloned from one with a single thread and has started none.
    #[expect(unsafe_code, reason = "a hook is a child of the container's process, made as that was made itself")]
    let child = unsafe { sys::clone::fork(|| become_hook(hook, state)) }?;
    let pidfd = pidfd_open(child, PidfdFlags::empty())?;
    if let Some(seconds) = hook.timeout {
        let limit = Timespec { tv_sec: i64::from(seconds), tv_nsec: 0 };
        if poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit))? == 0 {
            pidfd_send_signal(&pidfd, Signal::KILL)?;
            reap(child)?;
            return Err(Errno::TIMEDOUT);
        }
    }
    if reap(child)? { Ok(()) } else { Err(Errno::CHILD) }
}

/// Whether it ended well.
fn reap(child: Pid) -> rustix::io::Result<bool> {
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status.exit_status() == Some(0)),
            Ok(None) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn become_hook(hook: &Hook, state: BorrowedFd<'_>) -> i32 {
    const FAILED: i32 = 127;
    let ready = || -> rustix::io::Result<()> {
        rustix::stdio::dup2_stdin(state)?;
        // What a hook prints is not the container's output. Without a null device it is closed instead.
        if let Ok(null) = rustix::fs::open(c"/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
            rustix::stdio::dup2_stdout(null.as_fd())?;
        }
        sys::exec::close_on_exec_from(3)?;
        sys::signal::Set::empty().block();
        Ok(())
    };
    if ready().is_ok() {
        sys::exec::execve(&hook.path, &hook.arguments, &hook.environment);
    }
    FAILED
}
