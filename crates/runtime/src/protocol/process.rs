//! The first process of a container, as others than its supervisor find it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;

use super::{LOCK_FILE, STATUS_FILE, Status};

/// `/proc/PID` of the first process of the container with this run directory; None when the container does not run.
///
/// What is opened below it is that process's, or cannot be opened because it has ended: the descriptor stays with one
/// process, whoever has its pid later. That it is the right process when it is opened follows from three facts: it is a
/// child of the supervisor that the status names, so that one lives; the supervisor reaps it only once the status does
/// not name it any more; and the status names it afterwards still.
///
/// # Errors
/// Those of `open(2)`.
pub fn first_process(run_dir: &Path) -> io::Result<Option<OwnedFd>> {
    let Some(found @ (pid, supervisor)) = processes(run_dir) else { return Ok(None) };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let process = match openat(CWD, format!("/proc/{pid}"), flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    let is_it = parent(process.as_fd()) == Some(supervisor) && processes(run_dir) == Some(found);
    Ok(is_it.then_some(process))
}

/// The pids that the status of a running container names: its first process, its supervisor.
fn processes(run_dir: &Path) -> Option<(i32, i32)> {
    let status: Status = serde_json::from_slice(&std::fs::read(run_dir.join(STATUS_FILE)).ok()?).ok()?;
    let lock = File::open(run_dir.join(LOCK_FILE)).ok()?;
    let is_free = flock(&lock, FlockOperation::NonBlockingLockShared).is_ok();
    (!is_free && status.pid > 0).then_some((status.pid, status.supervisor))
}

/// The parent of a process (`proc_pid_stat(5)`).
fn parent(process: impl AsFd) -> Option<i32> {
    let stat = sys::file::read(process, "stat").ok()?;
    // The name is in parentheses and may hold anything, parentheses as well.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    std::str::from_utf8(&stat[end + 1..]).ok()?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    use super::*;

    #[test]
    fn a_process_is_found_as_long_as_it_is_the_containers() {
        let run = tempfile::tempdir().expect("a directory");
        let own = i32::try_from(std::process::id()).expect("is a pid");
        let find = |pid: i32, supervisor: i32| {
            let status = Status { pid, supervisor, ..Status::default() };
            std::fs::write(run.path().join(STATUS_FILE), serde_json::to_vec(&status).expect("is JSON"))
                .expect("writes");
            first_process(run.path()).expect("opens")
        };
        let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("starts");
        let pid = Pid::from_child(&child);
        let number = pid.as_raw_nonzero().get();
        let lock = File::create(run.path().join(LOCK_FILE)).expect("creates");
        assert!(find(number, own).is_none(), "nobody holds the lock");
        flock(&lock, FlockOperation::LockExclusive).expect("locks");
        let process = find(number, own).expect("runs");
        assert!(openat(&process, "ns/net", OFlags::RDONLY, Mode::empty()).is_ok());
        assert!(find(0, own).is_none(), "the status names none");
        assert!(find(number, 1).is_none(), "somebody else's child");
        drop(child.stdin.take());
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("ends");
        assert!(find(number, own).is_some(), "it is not reaped");
        assert!(openat(&process, "ns/net", OFlags::RDONLY, Mode::empty()).is_err());
        child.wait().expect("is there");
        assert!(find(number, own).is_none(), "it is gone");
    }
}
