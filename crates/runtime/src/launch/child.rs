//! Carrying out a plan: the child's half.
//!
//! This runs in a copy of the parent between `clone3` and `execve`. It allocates nothing, takes no lock and prints
//! nothing; a failed step goes back as its number and errno. Everything it needs was made by the parent.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Resource as Limited;
use rustix::thread::ThreadNameSpaceType;

use super::failure::Report;
use super::held::{Brief, Root};
use super::procfs::Procfs;
use super::source::Resource;
use super::trace::Clock;
use super::work::{State, Work, die_with_parent, open_root};
use super::{confine, console, credentials, file_system, hide, home, hooks, init, mounting};
use super::{procfs, spaces, talk};
use crate::plan::{Joiner, Source, Step};

/// The first descriptor that is no standard stream.
const AFTER_STREAMS: u32 = 3;

/// Runs all steps; returns the exit status if the last one does not become the program.
pub(super) fn run(work: &Work<'_>) -> i32 {
    match prepare(work) {
        Ok(()) => run_from(work, &mut State::default(), 0, work.target.is_none()),
        Err(errno) => fail(work, 0, errno),
    }
}

fn prepare(work: &Work<'_>) -> rustix::io::Result<()> {
    // With a copy of it open, who waits for an answer would wait for ever for a parent that was killed meanwhile.
    sys::exec::replace(work.parents_end, work.report)?;
    // While the parent writes its maps, a process must not hide from it: first of all.
    if matches!(work.plan.steps.first(), Some(Step::EnterUserNamespace)) {
        talk::ask(work.report, talk::Question::Maps)?;
    }
    // Now, because the filter of an older profile lets no close_range(2) through; what is opened later has the mark.
    sys::exec::close_on_exec_from(AFTER_STREAMS + work.plan.preserved)?;
    // What the parent runs is not for the container's eyes (CVE-2016-9962); executing the program lifts this.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    // Modes in the plan are meant as they are; a step sets the mask of the process.
    rustix::process::umask(Mode::empty());
    Ok(())
}

/// What a further process does before it enters the container.
fn done_on_host(step: &Step) -> bool {
    matches!(step, Step::JoinCgroup { .. } | Step::JoinResctrl(_) | Step::OomScore(_) | Step::Affinity { .. })
}

fn run_from<'a>(work: &Work<'a>, state: &mut State<'a>, first: usize, mut entered: bool) -> i32 {
    let mut clock = work.traces.then(Clock::start);
    for (number, step) in work.plan.steps.iter().enumerate().skip(first) {
        // A further process joins the cgroups by the host's paths, then enters the container.
        if !entered && !done_on_host(step) {
            if let Err(errno) = enter(work, state) {
                return fail(work, number, errno);
            }
            entered = true;
            if work.born_outside {
                let errno = spaces::be_reborn(work.report, 0, || run_from(work, state, number, true));
                return fail(work, number, errno);
            }
        }
        let result = match step {
            Step::Init => Err(init::stay_with(work.die_with_parent, || run_from(work, state, number + 1, true))),
            Step::NewNamespaces { flags, reborn: true } => {
                Err(spaces::be_reborn(work.report, *flags, || run_from(work, state, number + 1, true)))
            }
            Step::Execute => Err(execute(work)),
            step => apply(step, work.resources[number].as_ref(), work, state),
        };
        if let Err(errno) = result {
            return fail(work, number, errno);
        }
        if let Some(clock) = &mut clock {
            clock.tell(work.report, number);
        }
        if matches!(step, Step::Init | Step::Execute) {
            break;
        }
    }
    NOT_STARTED
}

/// Exit status of a process that never became its program; the report says why.
const NOT_STARTED: i32 = 125;

fn fail(work: &Work<'_>, step: usize, errno: Errno) -> i32 {
    let report = Report::new(step, errno).to_bytes();
    // What is wrong with a program is found out by who can read it: it comes along.
    let file = match work.plan.steps.get(step) {
        Some(Step::Execute | Step::FindProgram) => found(work),
        _ => None,
    };
    match file {
        Some(file) => sys::fdpass::send(work.report, &report, &[file.as_fd()]).ok(),
        None => sys::fdpass::send(work.report, &report, &[]).ok(),
    };
    NOT_STARTED
}

/// The first of the program's candidates that is there.
fn found(work: &Work<'_>) -> Option<OwnedFd> {
    let open = |path| rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
    work.plan.program.candidates.iter().find_map(open)
}

fn enter(work: &Work<'_>, state: &mut State<'_>) -> rustix::io::Result<()> {
    let Some(target) = work.target else { return Ok(()) };
    let kinds = u32::try_from(target.namespaces).unwrap_or_default();
    let mut kinds = ThreadNameSpaceType::from_bits_retain(kinds);
    if !work.born_outside {
        // That was chosen before the clone.
        kinds -= ThreadNameSpaceType::PROCESS_ID;
    }
    rustix::thread::move_into_thread_name_spaces(target.pidfd, kinds)?;
    if let Some(root) = target.root {
        change_root(root)?;
    }
    state.root = Some(Root::Own(open_root()?));
    Ok(())
}

fn change_root(root: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::chroot(c".")
}

/// Carries out one step.
fn apply<'a>(
    step: &'a Step,
    resource: Option<&'a Resource>,
    work: &Work<'a>,
    state: &mut State<'a>,
) -> rustix::io::Result<()> {
    match step {
        Step::JoinCgroup { .. } | Step::JoinResctrl(_) => {
            rustix::io::write(descriptor(resource)?, b"0").map(drop)?;
        }
        Step::UnshareCgroup => sys::clone::unshare(sys::clone::namespace::CGROUP)?,
        Step::JoinNamespace { flag, by, .. } => join_namespace(*flag, *by, descriptor(resource)?, state)?,
        Step::NewNamespaces { flags, .. } => sys::clone::unshare(*flags)?,
        Step::TimeNamespace { offsets } => spaces::make_time(work.report, !offsets.is_empty())?,
        Step::VerifyMaps => talk::ask(work.report, talk::Question::Maps)?,
        Step::NetDevices(_) => talk::ask(work.report, talk::Question::Devices)?,
        Step::Propagation(kind) => file_system::propagate(*kind)?,
        Step::AttachRoot { at, .. } => {
            state.root = Some(file_system::attach_root(resource.ok_or(Errno::BADF)?, at)?);
        }
        Step::ChangeRoot => change_root(state.root()?)?,
        Step::EnterRoot { .. } => file_system::enter_root(state.root()?, resource)?,
        Step::EnterUserNamespace => credentials::become_root()?,
        Step::HostHooks => talk::ask(work.report, talk::Question::Hooks)?,
        Step::Hooks { hooks, .. } => hooks::run(hooks, descriptor(resource)?)?,
        Step::SessionKeyring(name) => sys::keyring::join_session(name)?,
        Step::Loopback => sys::loopback::up()?,
        Step::AwaitNetwork => talk::ask(work.report, talk::Question::Network)?,
        Step::Hostname(name) => rustix::system::sethostname(name.to_bytes())?,
        Step::Domainname(name) => rustix::system::setdomainname(name.to_bytes())?,
        Step::Mount(mount) => mounting::mount(state, mount)?,
        Step::Attach { source, target, links } => {
            mounting::attach(state, resource.ok_or(Errno::BADF)?, source, target, *links)?;
        }
        Step::Remount { target, change } => mounting::remount(state, target, change)?,
        Step::Device(device) => file_system::device(state, device)?,
        Step::Link { content, path } => file_system::link(state, content, path)?,
        Step::Sysctl { path, value } => proc_of(work)?.write(procfs::inside(path)?, value.to_bytes())?,
        Step::Mask(path) => hide::mask(state, path)?,
        Step::ReadOnly(path) => mounting::read_only(state, path)?,
        Step::MakeWorkingDirectory(path) => file_system::make_directory(state.root()?, path)?,
        Step::WorkingDirectory(path) => file_system::change_directory(state.root()?, path)?,
        // In a user namespace of its own, this process may not: the parent has done it together with the maps.
        Step::OomScore(_) if work.plan.namespaces & sys::clone::namespace::USER != 0 => {}
        Step::OomScore(value) => proc_of(work)?.write(c"self/oom_score_adj", value.to_bytes())?,
        Step::AppArmor(profile) => confine::app_armor(proc_of(work)?, profile)?,
        Step::SelinuxLabel(label) => proc_of(work)?.write(c"thread-self/attr/exec", label.to_bytes())?,
        Step::KeyLabel(label) => proc_of(work)?.write(c"thread-self/attr/keycreate", label.to_bytes())?,
        Step::LabelFile { label, path } => confine::label_file(state.root()?, path, label)?,
        Step::Home { uid } => home::set(state.root()?, *uid, &work.plan.program.environment),
        Step::LandlockAllow { path, access } => confine::allow(work, state.root()?, path, *access)?,
        Step::Landlock(_) => confine::restrict(work)?,
        Step::FindProgram => find_program(work).map(drop)?,
        Step::AwaitCaller => talk::ask(work.report, talk::Question::Ready)?,
        Step::AwaitStart(_) => {
            talk::tell(work.report, talk::Question::Ready)?;
            talk::await_start(descriptor(resource)?)?;
        }
        step => become_process(step, work, state)?,
    }
    Ok(())
}

/// Steps that concern the process rather than what it sees.
fn become_process(step: &Step, work: &Work<'_>, state: &mut State<'_>) -> rustix::io::Result<()> {
    match step {
        Step::NewSession => rustix::process::setsid().map(drop)?,
        Step::Console { window, device } => console::open(state.root()?, work.report, *window, *device)?,
        Step::Stdio { uid } => console::take_stdio(work.stdio.ok_or(Errno::BADF)?, *uid)?,
        Step::KeepStdio { uid } => console::keep_stdio(state.root()?, *uid)?,
        Step::Limit { resource, value, .. } => {
            if *resource == Limited::Nofile {
                make_room(work, state, value.current)?;
            }
            rustix::process::setrlimit(*resource, *value)?;
        }
        Step::Scheduler { attributes, .. } => sys::schedule::set_attributes(attributes)?,
        Step::IoPriority { value, .. } => sys::schedule::set_io_priority(*value)?,
        Step::Affinity { mask, .. } => sys::schedule::set_affinity(mask)?,
        Step::MemoryPolicy { mode, nodes, .. } => sys::schedule::set_memory_policy(*mode, nodes)?,
        Step::Personality { value, .. } => sys::schedule::set_personality(*value)?,
        Step::Umask(mask) => {
            rustix::process::umask(Mode::from_raw_mode(*mask));
        }
        Step::Credentials(ids) => credentials::drop_to(ids, work.has_user_namespace())?,
        Step::NoNewPrivileges => rustix::thread::set_no_new_privs(true)?,
        Step::Seccomp => {
            let filter = work.plan.confinement.seccomp.as_ref().ok_or(Errno::INVAL)?;
            if let Some(listener) = sys::seccomp::install(filter.program(), filter.flags())? {
                talk::hand_over(work.report, talk::Question::Listener, listener.as_fd())?;
            }
        }
        _ => return Err(Errno::NOSYS),
    }
    Ok(())
}

/// Before a limit of open files that those of this launch may already be above: closes what no later step needs.
fn make_room(work: &Work<'_>, state: &mut State<'_>, limit: Option<u64>) -> rustix::io::Result<()> {
    /// More than there are: the two ends of what is said, the root, and one for each kind of source below.
    const MOST: usize = 16;
    let open = work.resources.len() + Brief::MANY.unsigned_abs() as usize;
    if limit.is_none_or(|limit| limit > open as u64) {
        return Ok(());
    }
    (state.parent, state.null, state.empty) = (None, None, None);
    let needed = |step: &Step| {
        matches!(step.source(), Some(Source::StartGate(_) | Source::HookState(_) | Source::LandlockRuleset(_)))
    };
    let of_step = |(step, resource): (&Step, &'_ Option<Resource>)| match resource {
        Some(Resource::Descriptor(file) | Resource::Ruleset(file, _)) if needed(step) => Some(file.as_raw_fd()),
        _ => None,
    };
    let others = [
        Some(work.report.as_raw_fd()),
        state.root.as_ref().map(|root| root.as_fd().as_raw_fd()),
        work.procfs.map(|procfs| procfs.as_fd().as_raw_fd()),
    ];
    let of_steps = work.plan.steps.iter().zip(work.resources).filter_map(of_step);
    let mut keep = [0; MOST];
    let mut count = 0;
    for descriptor in others.into_iter().flatten().chain(of_steps) {
        *keep.get_mut(count).ok_or(Errno::MFILE)? = descriptor.unsigned_abs();
        count += 1;
    }
    sys::exec::close_all_but(AFTER_STREAMS + work.plan.preserved, &mut keep[..count])
}

fn proc_of<'a>(work: &Work<'a>) -> rustix::io::Result<&'a Procfs> {
    work.procfs.ok_or(Errno::BADF)
}

fn descriptor(resource: Option<&Resource>) -> rustix::io::Result<BorrowedFd<'_>> {
    match resource {
        Some(Resource::Descriptor(descriptor)) => Ok(descriptor.as_fd()),
        _ => Err(Errno::BADF),
    }
}

fn join_namespace(flag: u64, by: Joiner, file: BorrowedFd<'_>, state: &mut State<'_>) -> rustix::io::Result<()> {
    if by == Joiner::Parent {
        return Ok(());
    }
    spaces::join(file)?;
    if flag == sys::clone::namespace::MOUNT {
        state.root = Some(Root::Own(open_root()?));
    }
    Ok(())
}

/// Tries each path the program may have, as `execvp(3)` does: one that is not there leads to the next; one that may not
/// be executed is remembered, in case none is better.
fn execute(work: &Work<'_>) -> Errno {
    if work.die_with_parent
        && let Err(errno) = die_with_parent()
    {
        return errno;
    }
    sys::signal::Set::empty().block();
    let program = &work.plan.program;
    // An execution that comes to nothing costs far more than a look.
    let first = if program.candidates.len() > 1 { find_program(work).unwrap_or_default() } else { 0 };
    let mut result = Errno::NOENT;
    for candidate in &program.candidates[first..] {
        match sys::exec::execve(candidate, &program.arguments, &program.environment) {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCESS => result = Errno::ACCESS,
            errno => return errno,
        }
    }
    result
}

/// The number of the first candidate that can be executed by the user that this process has become.
fn find_program(work: &Work<'_>) -> rustix::io::Result<usize> {
    use rustix::fs::{Access, AtFlags};
    let mut result = Errno::NOENT;
    for (number, candidate) in work.plan.program.candidates.iter().enumerate() {
        match rustix::fs::accessat(CWD, candidate, Access::EXEC_OK, AtFlags::EACCESS) {
            Ok(()) if is_file(candidate)? => return Ok(number),
            Ok(()) | Err(Errno::ACCESS) => result = Errno::ACCESS,
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            // A filter that knows no faccessat2: the execution itself will tell.
            Err(Errno::NOSYS | Errno::PERM) => return Ok(number),
            Err(errno) => return Err(errno),
        }
    }
    Err(result)
}

fn is_file(path: &CStr) -> rustix::io::Result<bool> {
    use rustix::fs::FileType;
    Ok(FileType::from_raw_mode(rustix::fs::stat(path)?.st_mode) == FileType::RegularFile)
}
