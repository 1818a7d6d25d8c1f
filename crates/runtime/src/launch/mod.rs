//! Carrying out a plan: the parent's half.
//!
//! The parent opens what steps need from the host, clones, and listens: the child reports a failed step as a fixed-size
//! value, sends the master of its terminal, or closes the connection by becoming the program. Everything that needs
//! memory or words happens here; [`child`] only makes system calls.

mod child;
mod classic;
mod confine;
mod console;
mod copy_up;
mod credentials;
mod failure;
mod file_system;
mod held;
mod hide;
mod home;
mod hooks;
mod id_maps;
mod init;
mod kernel;
mod mounting;
mod net_devices;
mod overlay;
mod procfs;
mod resolve;
mod source;
mod spaces;
mod talk;
mod trace;
mod work;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::cgroup::Cgroups;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{HookPoint, Plan, Source, Step};
use failure::Report;
use procfs::Procfs;
use source::{Opener, Resource};
use spaces::Visit;
use talk::Question;
use trace::Done;

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
    /// Its root, if that is not the root of a mount namespace of its own.
    pub root: Option<BorrowedFd<'a>>,
}

/// What the caller does while the process waits.
pub trait Helper {
    /// Writes the maps of the process's new user namespace.
    ///
    /// # Errors
    /// The launch fails with it.
    fn write_maps(&mut self, process: Pid) -> Result<()>;

    /// Runs the hooks of the host.
    ///
    /// # Errors
    /// The launch fails with it.
    fn run_hooks(&mut self, process: Pid) -> Result<()>;

    /// The state of the container as hooks read it, at a point of its life.
    fn state(&self, process: Pid, point: HookPoint) -> Vec<u8>;

    /// Takes the listener of the process's filter of system calls.
    ///
    /// # Errors
    /// The launch fails with it.
    fn take_listener(&mut self, process: Pid, listener: OwnedFd) -> Result<()>;

    /// Whether to be told what takes how long.
    fn traces(&self) -> bool {
        false
    }

    /// Is told that a step, or what comes before the steps, is done.
    fn done(&mut self, _what: &dyn std::fmt::Display, _took: Duration) {}
}

/// What a plan is carried out with.
pub struct Inputs<'a> {
    /// The container's cgroups.
    pub cgroups: &'a Cgroups,
    /// The streams of a process that is given some.
    pub stdio: Option<Stdio>,
    /// The container to enter, for a further process.
    pub target: Option<Target<'a>>,
    /// Whether the process is killed when the caller ends.
    pub die_with_parent: bool,
    /// For plans with a user namespace, hooks or a listener.
    pub helper: Option<&'a mut dyn Helper>,
    /// Attaches the network of the new process, which goes through its steps meanwhile and waits for it before its
    /// program ([`Step::AwaitNetwork`]). The launch fails with its error.
    pub network: Option<&'a mut dyn FnMut(Pid) -> Result<()>>,
}

/// A process that runs its program, or is about to.
#[derive(Debug)]
pub struct Launched {
    /// The process, a child of the caller.
    pub child: sys::clone::Child,
    /// The master of its terminal, if it has one.
    pub console: Option<OwnedFd>,
    /// Of one that waits for its start: where the rest of its launch is heard.
    connection: Option<OwnedFd>,
    /// What its steps were given: closed with this value, which a caller that ends need not do one by one.
    resources: Vec<Option<Resource>>,
}

impl Launched {
    /// Of a process that waits for its caller ([`StartMode::Asked`](crate::plan::StartMode::Asked)): lets it go on, and
    /// waits until it has become its program.
    ///
    /// # Errors
    /// As of [`launch`].
    pub fn go_on(&mut self, plan: &Plan, helper: &mut dyn Helper) -> Result<()> {
        let Some(connection) = self.connection.take() else { return Ok(()) };
        talk::answer(&connection).map_err(|errno| failure::describe(plan, Report::lost(errno), None))?;
        let resources = std::mem::take(&mut self.resources);
        let mut parent =
            Parent { plan, process: self.child.pid, next: None, resources, procfs: None, helper: Some(helper) };
        let result = parent.listen(&connection, false);
        self.resources = parent.resources;
        result.map(drop)
    }
}

/// The kernel's name and release, for errors about what it lacks.
pub(crate) fn kernel_name() -> String {
    kernel::name()
}

/// Carries out a plan. When it returns without an error, the program runs, or waits behind its gate; else nothing is left of
/// the process.
///
/// The calling process must have a single thread.
///
/// # Errors
/// The failed step in words; the kind tells a missing or unusable program, and a container that has ended, from everything
/// else.
pub fn launch(plan: &Plan, inputs: Inputs<'_>) -> Result<Launched> {
    let target = inputs.target;
    carry_out(plan, inputs).map_err(|error| match target {
        // Whichever step met it: it may end while the process is on its way into it.
        Some(target) if error.kind() == ErrorKind::System && spaces::are_left(target.pidfd) => Error::not_running(),
        _ => error,
    })
}

fn carry_out(plan: &Plan, mut inputs: Inputs<'_>) -> Result<Launched> {
    kernel::check(plan)?;
    let procfs = plan.steps.iter().any(Step::writes_proc).then(Procfs::open).transpose()?;
    let mut clock = Instant::now();
    let mut opener = Opener::new(inputs.cgroups);
    let open = |step: &Step| step.source().map(|source| opener.open(source)).transpose();
    let resources = plan.steps.iter().map(open).collect::<Result<Vec<_>>>()?;
    spaces::spare_the_host(plan, &resources)?;
    told(&mut inputs, &mut clock, "open what the steps need");
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|errno| Error::system("socketpair", errno))?;
    let work = work::Work {
        plan,
        resources: &resources,
        stdio: inputs.stdio.as_ref(),
        target: inputs.target,
        procfs: procfs.as_ref(),
        report: theirs.as_fd(),
        parents_end: ours.as_fd(),
        die_with_parent: inputs.die_with_parent,
        traces: inputs.helper.as_ref().is_some_and(|helper| helper.traces()),
        born_outside: false,
    };
    let child = clone(plan, work, &inputs)?;
    told(&mut inputs, &mut clock, "clone a process into its new namespaces");
    drop(theirs);
    drop(inputs.stdio.take());
    if let Some(attach) = inputs.network.take() {
        if let Err(error) = attach(child.pid) {
            end(&child);
            return Err(reported(plan, &ours).unwrap_or(error));
        }
        told(&mut inputs, &mut clock, "attach the network");
    }
    let mut parent = Parent { plan, process: child.pid, next: None, resources, procfs, helper: inputs.helper };
    let waits = plan.steps.iter().any(|step| matches!(step, Step::AwaitStart(_) | Step::AwaitCaller));
    match parent.listen(&ours, waits) {
        Ok((console, waits)) => {
            let (child, connection) = (parent.next.unwrap_or(child), waits.then_some(ours));
            Ok(Launched { child, console, connection, resources: parent.resources })
        }
        Err(error) => {
            // After a report it ends by itself; one that still waits for us must be told. It is reaped here because no
            // one else knows of it.
            drop(ours);
            end(parent.next.as_ref().unwrap_or(&child));
            Err(error)
        }
    }
}

fn told(inputs: &mut Inputs<'_>, clock: &mut Instant, what: &str) {
    if let Some(helper) = inputs.helper.as_mut().filter(|helper| helper.traces()) {
        helper.done(&what, clock.elapsed());
        *clock = Instant::now();
    }
}

/// What a process has said that has ended. One that has failed has no namespaces any more, which others meet first that want to
/// do something in them.
fn reported(plan: &Plan, child: &OwnedFd) -> Option<Error> {
    let mut buffer = [0; Done::SIZE];
    while let Ok((count, descriptor)) = talk::hear(child, &mut buffer) {
        match (count, buffer.first_chunk()) {
            (0, _) => return None,
            (Report::SIZE, Some(report)) => {
                return Some(failure::describe(plan, Report::from_bytes(*report), descriptor.as_ref()));
            }
            _ => {}
        }
    }
    None
}

/// Ends a process that nobody else knows of.
fn end(process: &sys::clone::Child) {
    rustix::process::pidfd_send_signal(&process.pidfd, rustix::process::Signal::KILL).ok();
    waitpid(Some(process.pid), WaitOptions::empty()).ok();
}

/// Clones the child. What it is to be born into, the parent enters for that moment: a pid namespace because only children
/// can be in it, others because a process in a new user namespace would not be let in.
fn clone(plan: &Plan, mut work: work::Work<'_>, inputs: &Inputs<'_>) -> Result<sys::clone::Child> {
    let cgroup = plan.cgroup.map(|hierarchy| inputs.cgroups.directory(hierarchy)).transpose()?.flatten();
    let mut visit = Visit::begin(plan, work.resources)?;
    if let Some(target) = inputs.target.filter(|target| target.namespaces & sys::clone::namespace::PID != 0) {
        let entered = visit.enter_pids(target.pidfd);
        // A user's own user namespace gives him the right, once he is in it.
        work.born_outside = entered.is_err() && target.namespaces & sys::clone::namespace::USER != 0;
        if !work.born_outside {
            entered?;
        }
    }
    let affinity = plan.processors.as_deref().map(kernel::Affinity::change).transpose()?;
    // SAFETY: supervisors and `phial-runtime` never start a thread.
    #[expect(unsafe_code, reason = "the one place where a container's process is made")]
    let cloned = unsafe { sys::clone::clone3(plan.namespaces, cgroup, || child::run(&work)) };
    drop(affinity);
    let ended = visit.end();
    let cloned = cloned.map_err(|errno| {
        let error = Error::system("clone3 (make the namespaces)", errno);
        match errno {
            Errno::PERM => error.with_hint("making namespaces needs root (CAP_SYS_ADMIN)"),
            Errno::BUSY => error.with_hint("the parent cgroup has processes of its own and controllers enabled"),
            Errno::NOSPC | Errno::USERS => error
                .with_hint("a limit of namespaces is reached, or 0 forbids them: see /proc/sys/user/max_*_namespaces"),
            Errno::INVAL => error.with_hint("this kernel lacks one of the kinds in linux.namespaces"),
            Errno::AGAIN => {
                error.with_hint("a limit of processes is reached: ulimit -u, or pids.max of the own cgroup")
            }
            Errno::NOMEM => error.with_hint("memory ran out, or the pid namespace that is joined has ended"),
            _ => error,
        }
    })?;
    ended.inspect_err(|_| end(&cloned))?;
    Ok(cloned)
}

/// The parent while the child goes through its steps.
struct Parent<'a, 'h> {
    plan: &'a Plan,
    process: Pid,
    /// The process, once it is not the one that was cloned.
    next: Option<sys::clone::Child>,
    resources: Vec<Option<Resource>>,
    procfs: Option<Procfs>,
    helper: Option<&'h mut dyn Helper>,
}

impl Parent<'_, '_> {
    /// Hears what the child has to say until it has become the program, waits behind its gate, or has failed. Returns
    /// the terminal, and whether it waits. One that is `expected` to wait cannot become the program before.
    fn listen(&mut self, child: &OwnedFd, expected: bool) -> Result<(Option<OwnedFd>, bool)> {
        let lost = |errno| failure::describe(self.plan, Report::lost(errno), None);
        let mut console = None;
        loop {
            let mut buffer = [0; Done::SIZE];
            let (count, descriptor) = talk::hear(child, &mut buffer).map_err(lost)?;
            match count {
                0 if expected => return Err(failure::vanished()),
                0 => return Ok((console, false)),
                Done::SIZE => {
                    self.step_done(Done::from_bytes(buffer));
                    continue;
                }
                _ => {}
            }
            if let (Report::SIZE, Some(report)) = (count, buffer.first_chunk()) {
                return Err(failure::describe(self.plan, Report::from_bytes(*report), descriptor.as_ref()));
            }
            match Question::from_byte(buffer[0]).ok_or_else(|| lost(Errno::PROTO))? {
                Question::Ready => return Ok((console, true)),
                Question::Terminal => console = descriptor,
                Question::Listener => self.take_listener(descriptor)?,
                Question::Reborn => {
                    self.adopt(&buffer, descriptor).ok_or_else(|| lost(Errno::PROTO))?;
                    talk::answer(child).map_err(lost)?;
                }
                question => {
                    self.help(question)?;
                    talk::answer(child).map_err(lost)?;
                }
            }
        }
    }

    fn step_done(&mut self, done: Done) {
        if let (Some(helper), Some(step)) = (&mut self.helper, self.plan.steps.get(done.step)) {
            helper.done(step, done.took);
        }
    }

    /// Another process goes on, and the first one ends.
    fn adopt(&mut self, message: &[u8], pidfd: Option<OwnedFd>) -> Option<()> {
        let next = sys::clone::Child { pid: talk::introduced(message)?, pidfd: pidfd? };
        let first = std::mem::replace(&mut self.process, next.pid);
        self.next = Some(next);
        waitpid(Some(first), WaitOptions::empty()).ok().map(drop)
    }

    fn help(&mut self, question: Question) -> Result<()> {
        let process = self.process;
        match question {
            Question::Clocks => return self.set_clocks(),
            Question::Devices => return self.move_devices(),
            // It was attached before anything was heard.
            Question::Network => return Ok(()),
            _ => {}
        }
        let helper = self.helper.as_mut().ok_or_else(|| Error::system("launch", "nobody writes maps or runs hooks"))?;
        if question == Question::Maps {
            helper.write_maps(process)?;
            return self.write_oom_score();
        }
        helper.run_hooks(process)?;
        for (step, resource) in self.plan.steps.iter().zip(&self.resources) {
            if let (Some(Source::HookState(point)), Some(Resource::Descriptor(file))) = (step.source(), resource) {
                rustix::io::write(file, &helper.state(process, *point))
                    .map_err(|errno| Error::system("state for hooks", errno))?;
            }
        }
        Ok(())
    }

    /// For a process in a user namespace of its own.
    fn write_oom_score(&self) -> Result<()> {
        let score = |step: &Step| match step {
            Step::OomScore(score) => Some((step.to_string(), score.clone())),
            _ => None,
        };
        let (Some(procfs), Some((step, score))) = (&self.procfs, self.plan.steps.iter().find_map(score)) else {
            return Ok(());
        };
        let path = format!("{}/oom_score_adj", self.process.as_raw_nonzero());
        let path = std::ffi::CString::new(path).expect("a number and a name");
        procfs.write(&path, score.to_bytes()).map_err(|errno| Error::system(step, errno))
    }

    fn set_clocks(&self) -> Result<()> {
        let find = |step: &Step| match step {
            Step::TimeNamespace { offsets } => Some(offsets.clone()),
            _ => None,
        };
        let offsets = self.plan.steps.iter().find_map(find).unwrap_or_default();
        let path = format!("/proc/{}/timens_offsets", self.process.as_raw_nonzero());
        std::fs::write(path, &offsets).map_err(|error| {
            let offsets = offsets.trim_end().replace('\n', ", ");
            let hint = match error.kind() {
                std::io::ErrorKind::PermissionDenied => "setting the clocks of a new time namespace needs root",
                _ => "no clock may become negative, or reach the year 2262",
            };
            Error::system(format!("linux.timeOffsets {offsets}"), error).with_hint(hint)
        })
    }

    fn move_devices(&self) -> Result<()> {
        let find = |step: &'_ Step| match step {
            Step::NetDevices(devices) => Some(devices.clone()),
            _ => None,
        };
        let devices = self.plan.steps.iter().find_map(find).unwrap_or_default();
        net_devices::give(&devices, self.process)
    }

    fn take_listener(&mut self, listener: Option<OwnedFd>) -> Result<()> {
        match (&mut self.helper, listener) {
            (Some(helper), Some(listener)) => helper.take_listener(self.process, listener),
            _ => Err(Error::system("launch", "nobody takes the listener of the seccomp filter")),
        }
    }
}
