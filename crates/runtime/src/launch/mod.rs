//! Carrying out a plan: the parent's half.
//!
//! The parent opens what steps need from the host, clones, and listens: the child reports a failed step as a fixed-size
//! value, sends the master of its terminal, or closes the connection by becoming the program. Everything that needs
//! memory or words happens here; [`child`] only makes system calls.

mod child;
mod console;
mod credentials;
mod failure;
mod file_system;
mod init;
mod resolve;
mod source;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{WaitOptions, waitpid};

use crate::cgroup::Cgroups;
use crate::error::{Error, Result};
use crate::plan::Plan;
use failure::Report;

/// The process's ends of its standard streams.
#[derive(Debug)]
pub struct Stdio {
    /// Read by the process.
    pub stdin: OwnedFd,
    /// Written by the process.
    pub stdout: OwnedFd,
    /// Written by the process.
    pub stderr: OwnedFd,
}

/// A running container to start a further process in.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its first process.
    pub pidfd: BorrowedFd<'a>,
    /// Its namespaces, as `CLONE_NEW*` bits.
    pub namespaces: u64,
}

/// What a plan is carried out with.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The container's cgroups.
    pub cgroups: &'a Cgroups,
    /// The streams of a process without a terminal.
    pub stdio: Option<Stdio>,
    /// The container to enter, for a further process.
    pub target: Option<Target<'a>>,
    /// Whether the process is killed when the caller ends.
    pub die_with_parent: bool,
}

/// A process that runs its program.
#[derive(Debug)]
pub struct Launched {
    /// The process, a child of the caller.
    pub child: sys::clone::Child,
    /// The master of its terminal, if it has one.
    pub console: Option<OwnedFd>,
}

/// Carries out a plan. When it returns without an error, the program runs; else nothing is left of the process.
///
/// The calling process must have a single thread.
///
/// # Errors
/// The failed step in words; the kind tells a missing or unusable program from everything else.
pub fn launch(plan: &Plan, inputs: Inputs<'_>) -> Result<Launched> {
    let resources = plan
        .steps
        .iter()
        .map(|step| step.source().map(|source| source::open(source, inputs.cgroups)).transpose())
        .collect::<Result<Vec<_>>>()?;
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(|errno| Error::system("socketpair", errno))?;
    let work = child::Work {
        plan,
        resources: &resources,
        stdio: inputs.stdio.as_ref(),
        target: inputs.target,
        report: theirs.as_fd(),
        die_with_parent: inputs.die_with_parent,
    };
    let child = clone(plan, &work, &inputs)?;
    drop((theirs, resources));
    drop(inputs.stdio);
    match listen(&ours) {
        Ok(console) => Ok(Launched { child, console }),
        Err(report) => {
            // The child ends by itself after a report; it is reaped here because no one else knows of it.
            waitpid(Some(child.pid), WaitOptions::empty()).ok();
            Err(failure::describe(plan, report))
        }
    }
}

/// Clones the child. A further process is born into the container's pid namespace, which only children can be.
fn clone(plan: &Plan, work: &child::Work<'_>, inputs: &Inputs<'_>) -> Result<sys::clone::Child> {
    let cgroup = plan.cgroup.and_then(|hierarchy| inputs.cgroups.directory(hierarchy));
    let own = inputs.target.map(|target| enter_pid_namespace(target.pidfd)).transpose()?;
    // SAFETY: supervisors and `phial-runtime` never start a thread.
    #[expect(unsafe_code, reason = "the one place where a container's process is made")]
    let cloned = unsafe { sys::clone::clone3(plan.namespaces, cgroup, || child::run(work)) };
    if let Some(own) = own {
        let kind = rustix::thread::LinkNameSpaceType::ProcessID;
        rustix::thread::move_into_link_name_space(own.as_fd(), Some(kind))
            .map_err(|errno| Error::system("return to the own pid namespace", errno))?;
    }
    cloned.map_err(|errno| {
        let error = Error::system("clone3 (make the namespaces)", errno);
        match errno {
            Errno::PERM => error.with_hint("making namespaces needs root (CAP_SYS_ADMIN)"),
            Errno::BUSY => error.with_hint("the parent cgroup has processes of its own and controllers enabled"),
            Errno::NOSPC => error.with_hint("a limit of namespaces is reached: see /proc/sys/user/max_*_namespaces"),
            _ => error,
        }
    })
}

fn enter_pid_namespace(pidfd: BorrowedFd<'_>) -> Result<OwnedFd> {
    let own = std::fs::File::open("/proc/self/ns/pid").map_err(|error| Error::system("/proc/self/ns/pid", error))?;
    rustix::thread::move_into_thread_name_spaces(pidfd, rustix::thread::ThreadNameSpaceType::PROCESS_ID)
        .map_err(|errno| Error::system("enter the container's pid namespace", errno))?;
    Ok(own.into())
}

/// Hears what the child has to say until it has become the program, or has failed.
fn listen(socket: &OwnedFd) -> std::result::Result<Option<OwnedFd>, Report> {
    let mut console = None;
    loop {
        let mut buffer = [0; Report::SIZE];
        match sys::fdpass::receive(socket, &mut buffer) {
            Ok((0, _)) => return Ok(console),
            Ok((Report::SIZE, _)) => return Err(Report::from_bytes(buffer)),
            Ok((_, mut descriptors)) => console = descriptors.pop().or(console),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Report::lost(errno)),
        }
    }
}
