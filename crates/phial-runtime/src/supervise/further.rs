//! Further processes in the container: from a client's request to a running process.
//!
//! No new program is loaded but the payload: the supervisor clones itself, and the child enters the container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use runtime::launch::{Inputs, Launched, Stdio, Target, launch};
use runtime::plan::{Plan, Streams};
use runtime::protocol::Exec;
use runtime::{Error, ErrorKind, Result};
use rustix::io::Errno;

use super::poll::{Event, Interest, Poll};
use super::start::Started;

/// A further process that runs, and which client gets its end.
#[derive(Debug)]
pub(super) struct Further {
    pub(super) pid: rustix::process::Pid,
    pub(super) pidfd: OwnedFd,
    pub(super) client: u64,
    /// What events call it.
    pub(super) id: String,
    /// RFC 3339.
    pub(super) started_at: String,
    /// Master of its terminal. The client has it too, but may leave: then the process must neither be hung up nor wait
    /// for a reader.
    pub(super) terminal: Option<OwnedFd>,
}

impl Further {
    /// The client is gone: what the process writes to its terminal is watched for, to be thrown away.
    pub(super) fn abandon(&self, poll: &Poll) {
        let Some(terminal) = &self.terminal else { return };
        // Where it cannot be watched the process goes on until the terminal's buffer is full.
        if super::set_nonblocking(terminal.as_fd()).is_ok() {
            poll.watch(terminal, Event::Abandoned(self.client), Interest::READ).ok();
        }
    }

    /// Throws away what was written to the terminal; at its end, the terminal as well.
    pub(super) fn discard(&mut self, poll: &Poll) {
        let Some(terminal) = &self.terminal else { return };
        match rustix::io::read(terminal, &mut [0; 4096]) {
            Ok(count) if count > 0 => {}
            Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(_) | Err(_) => {
                poll.forget(terminal);
                self.terminal = None;
            }
        }
    }
}

/// Starts what is asked for. The streams are the client's; of a terminal the client gets the master.
pub(super) fn start(
    started: &Started,
    container: BorrowedFd<'_>,
    exec: &Exec,
    descriptors: Vec<OwnedFd>,
) -> Result<Launched> {
    let stdio = match <[OwnedFd; 3]>::try_from(descriptors) {
        Ok([stdin, stdout, stderr]) => Some(Stdio { stdin, stdout, stderr }),
        Err(_) if exec.process.terminal().unwrap_or(false) => None,
        Err(descriptors) => {
            let message = format!("exec: {} descriptors came for 3 streams", descriptors.len());
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    };
    let mut process = exec.process.clone();
    super::descriptors::restore(&mut process);
    let plan = Plan::exec(&process, &started.hierarchies, exec.window, started.confinement.clone(), Streams::Given)?;
    let target = Target { pidfd: container.as_fd(), namespaces: started.namespaces, root: None };
    let cgroups = &started.cgroups;
    launch(&plan, Inputs { cgroups, stdio, target: Some(target), die_with_parent: false, helper: None, network: None })
}
