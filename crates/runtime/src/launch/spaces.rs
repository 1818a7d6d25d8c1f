//! Namespaces: entered, made late. The child's functions allocate nothing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{ThreadNameSpaceType, move_into_link_name_space, move_into_thread_name_spaces};
use sys::clone::namespace;

use super::source::Resource;
use super::talk::{self, Question};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Joiner, Plan, Source, Step};

/// Child: enters a namespace by its file, whose kind the parent has made sure of.
pub(super) fn join(file: BorrowedFd<'_>) -> rustix::io::Result<()> {
    move_into_link_name_space(file, None)
}

/// Child: makes a time namespace and enters it. It is made for children only, and can be given offsets until somebody is in
/// it (`time_namespaces(7)`).
pub(super) fn make_time(parent: BorrowedFd<'_>, offsets: bool) -> rustix::io::Result<()> {
    sys::clone::unshare(namespace::TIME)?;
    if offsets {
        // Its file of offsets belongs to nobody here: this process is not to be looked into.
        talk::ask(parent, Question::Clocks)?;
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    join(rustix::fs::open(c"/proc/self/ns/time_for_children", flags, Mode::empty())?.as_fd())
}

/// Child: goes on as a second process, born in new namespaces. The first one tells the parent of it and ends; an errno comes
/// back if there is none.
pub(super) fn be_reborn(parent: BorrowedFd<'_>, flags: u64, rest: impl FnOnce() -> i32) -> Errno {
    // SAFETY: this process was cloned from one with a single thread and has started none.
    #[expect(unsafe_code, reason = "a pid namespace is only for processes born in it")]
    let born = unsafe { sys::clone::sibling(flags, || if talk::await_answer(parent).is_ok() { rest() } else { 1 }) };
    let told = born.and_then(|child| talk::introduce(parent, child.pid, child.pidfd.as_fd()));
    match told {
        Ok(()) => sys::exec::exit(0),
        Err(errno) => errno,
    }
}

/// Parent: refuses steps that would change the host, because a namespace that is entered is the host's own.
pub(super) fn spare_the_host(plan: &Plan, resources: &[Option<Resource>]) -> Result<()> {
    let mut hosts = 0;
    for (step, resource) in plan.steps.iter().zip(resources) {
        if let (Step::JoinNamespace { flag, .. }, Some(Resource::Descriptor(file))) = (step, resource)
            && is_own(*flag, file.as_fd())?
        {
            hosts |= flag;
        }
    }
    let needed = |step: &Step| match step {
        Step::Sysctl { path, .. } => {
            let path = path.to_str().ok().and_then(|path| path.strip_prefix("/proc/sys/"));
            path.and_then(crate::plan::namespace_of_parameter).unwrap_or(0)
        }
        Step::Hostname(_) | Step::Domainname(_) => namespace::UTS,
        _ => 0,
    };
    match plan.steps.iter().find(|step| needed(step) & hosts != 0) {
        None => Ok(()),
        Some(step) => {
            let kind = crate::plan::namespace_name(needed(step));
            let message =
                format!("{step}: the {kind} namespace in linux.namespaces is the host's, which it would change");
            Err(Error::new(ErrorKind::Invalid, message))
        }
    }
}

/// Whether a namespace is the caller's.
pub(super) fn is_own(flag: u64, file: BorrowedFd<'_>) -> Result<bool> {
    let path = own_file(flag);
    let own = rustix::fs::stat(path).map_err(|errno| Error::system(path, errno))?;
    let given = rustix::fs::fstat(file).map_err(|errno| Error::system(path, errno))?;
    Ok((own.st_dev, own.st_ino) == (given.st_dev, given.st_ino))
}

/// Parent: namespaces that it is in for the moment of the clone, so that the child is born in them.
pub(super) struct Visit {
    own: Vec<OwnedFd>,
}

impl Visit {
    /// Enters what a plan wants the parent to enter.
    pub(super) fn begin(plan: &Plan, resources: &[Option<Resource>]) -> Result<Visit> {
        let mut visit = Visit { own: Vec::new() };
        for (step, resource) in plan.steps.iter().zip(resources) {
            if let (
                Step::JoinNamespace { source: Source::Namespace { flag, .. }, by: Joiner::Parent, .. },
                Some(Resource::Descriptor(file)),
            ) = (step, resource)
            {
                visit.enter(own_file(*flag), || join(file.as_fd()), &step.to_string())?;
            }
        }
        Ok(visit)
    }

    /// Enters one more; `file` is that of the own one.
    pub(super) fn enter(
        &mut self,
        file: &str,
        enter: impl FnOnce() -> rustix::io::Result<()>,
        what: &str,
    ) -> Result<()> {
        let own = std::fs::File::open(file).map_err(|error| Error::system(file, error))?;
        match enter() {
            Ok(()) => {
                self.own.push(own.into());
                Ok(())
            }
            Err(errno) => {
                // This error says more than one of the way back could.
                self.leave().ok();
                Err(Error::system(what, errno)
                    .with_hint("entering a namespace needs CAP_SYS_ADMIN in its user namespace"))
            }
        }
    }

    /// Enters the pid namespace of a process: the own children are born in it.
    pub(super) fn enter_pids(&mut self, process: BorrowedFd<'_>) -> Result<()> {
        let enter = || enter_pids(process);
        self.enter(own_file(namespace::PID), enter, "enter the container's pid namespace")
    }

    /// Goes back.
    pub(super) fn end(mut self) -> Result<()> {
        self.leave().map_err(|errno| Error::system("return to the own namespaces", errno))
    }

    fn leave(&mut self) -> rustix::io::Result<()> {
        self.own.drain(..).rev().try_for_each(|own| join(own.as_fd()))
    }
}

fn enter_pids(process: BorrowedFd<'_>) -> rustix::io::Result<()> {
    move_into_thread_name_spaces(process, ThreadNameSpaceType::PROCESS_ID)
}

/// Whether a process has left its namespaces because it ends. That is a while before its pidfd tells of it: the first
/// process of a pid namespace waits for all others in between.
pub(super) fn are_left(process: BorrowedFd<'_>) -> bool {
    let mut visit = Visit { own: Vec::new() };
    let mut left = false;
    let enter = || enter_pids(process).inspect_err(|errno| left = *errno == Errno::SRCH);
    visit.enter(own_file(namespace::PID), enter, "").and_then(|()| visit.end()).is_err() && left
}

/// The caller's own namespace of a kind; for pids and time, the one that its children are born in.
pub(super) fn own_file(flag: u64) -> &'static str {
    match flag {
        namespace::PID => "/proc/self/ns/pid",
        namespace::NETWORK => "/proc/self/ns/net",
        namespace::IPC => "/proc/self/ns/ipc",
        namespace::UTS => "/proc/self/ns/uts",
        namespace::USER => "/proc/self/ns/user",
        namespace::MOUNT => "/proc/self/ns/mnt",
        namespace::CGROUP => "/proc/self/ns/cgroup",
        _ => "/proc/self/ns/time",
    }
}
