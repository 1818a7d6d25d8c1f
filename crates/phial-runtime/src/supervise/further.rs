//! Further processes in the container: from a client's request to a running process.
//!
//! No new program is loaded but the payload: the supervisor clones itself, and the child enters the container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use runtime::launch::{Inputs, Launched, Stdio, Target, launch};
use runtime::plan::Plan;
use runtime::protocol::Exec;
use runtime::{Error, ErrorKind, Result};

use super::start::Started;

/// A further process that runs, and which client gets its end.
#[derive(Debug)]
pub(super) struct Further {
    pub(super) pid: rustix::process::Pid,
    pub(super) pidfd: OwnedFd,
    pub(super) client: u64,
    /// RFC 3339.
    pub(super) started_at: String,
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
    let plan = Plan::exec(&exec.process, &started.hierarchies, exec.window, started.seccomp.clone())?;
    let target = Target { pidfd: container.as_fd(), namespaces: started.namespaces };
    launch(&plan, Inputs { cgroups: &started.cgroups, stdio, target: Some(target), die_with_parent: false })
}
