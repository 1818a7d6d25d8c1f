//! `clone3(2)`: a child that shares nothing with its parent but copies of its memory and descriptors.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

/// `CLONE_CLEAR_SIGHAND`: handlers of the parent are reset in the child (ignored signals stay ignored).
const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
/// `CLONE_INTO_CGROUP`: the child is born in the cgroup v2 directory given.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// Namespaces a process can be given of its own, as bits of `clone(2)`.
pub mod namespace {
    /// Mounts.
    pub const MOUNT: u64 = libc::CLONE_NEWNS as u64;
    /// Host and domain name.
    pub const UTS: u64 = libc::CLONE_NEWUTS as u64;
    /// System V IPC and POSIX message queues.
    pub const IPC: u64 = libc::CLONE_NEWIPC as u64;
    /// Process ids.
    pub const PID: u64 = libc::CLONE_NEWPID as u64;
    /// Network.
    pub const NETWORK: u64 = libc::CLONE_NEWNET as u64;
    /// Users and groups.
    pub const USER: u64 = libc::CLONE_NEWUSER as u64;
    /// The root of the cgroup tree that is seen.
    pub const CGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
    /// Offsets of the monotonic and boot clocks.
    pub const TIME: u64 = 0x80;
}

/// A child process.
#[derive(Debug)]
pub struct Child {
    /// Its pid in the caller's pid namespace.
    pub pid: Pid,
    /// A descriptor that stands for it, close-on-exec, readable when it has ended.
    pub pidfd: OwnedFd,
}

impl Child {
    /// # Safety
    /// The descriptor is open and owned by nothing else.
    #[expect(unsafe_code, reason = "ownership of a descriptor begins here")]
    unsafe fn new(pid: libc::c_long, pidfd: libc::c_int) -> Result<Child, Errno> {
        // SAFETY: the caller's promise.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        Ok(Child { pid, pidfd })
    }
}

/// Makes a child in the given new namespaces and runs `child` in it; the child ends when `child` does.
///
/// # Safety
/// The calling process must have a single thread: the child gets a copy of this thread alone, so a lock held by
/// another one (the allocator's) would never be released in it.
///
/// # Errors
/// Those of `clone3(2)`: `EPERM` without the privilege, `ENOSPC` at a limit of namespaces, `EBUSY` for a cgroup with
/// controllers enabled for its children.
#[expect(unsafe_code, reason = "no library wraps clone3")]
pub unsafe fn clone3(
    namespaces: u64,
    cgroup: Option<BorrowedFd<'_>>,
    child: impl FnOnce() -> i32,
) -> Result<Child, Errno> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: the structure consists of integers, for which zero is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces | CLEAR_SIGHAND | libc::CLONE_PIDFD as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(directory) = cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = u64::try_from(directory.as_raw_fd()).unwrap_or_default();
    }
    // SAFETY: args points to a valid clone_args of the size given. Without CLONE_VM the child has its own copy of the
    // stack and memory, so returning twice is sound; that this thread is the only one is the caller's promise.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) };
    match pid {
        0 => crate::exec::exit(child()),
        pid if pid > 0 => {
            // SAFETY: CLONE_PIDFD stored a new descriptor there, owned by nothing else.
            unsafe { Child::new(pid, pidfd) }
        }
        _ => match crate::exec::last_errno() {
            // SAFETY: as of this function.
            Errno::NOSYS => unsafe { clone2(namespaces, cgroup, child) },
            errno => Err(errno),
        },
    }
}

/// The same by `clone(2)`, for kernels before 5.3 and filters that answer `clone3` with `ENOSYS`: the child joins the
/// cgroup by itself.
///
/// # Safety
/// As of [`clone3`].
#[expect(unsafe_code, reason = "no library wraps clone without a stack")]
unsafe fn clone2(namespaces: u64, cgroup: Option<BorrowedFd<'_>>, child: impl FnOnce() -> i32) -> Result<Child, Errno> {
    /// Exit status of a process that is in no cgroup of its container: it must not run.
    const NOT_JOINED: i32 = 125;
    let mut pidfd: libc::c_int = -1;
    let flags = namespaces | libc::CLONE_PIDFD as u64 | libc::SIGCHLD as u64;
    // SAFETY: no stack: a copy of this process, whose only thread is the caller, as he promises. With CLONE_PIDFD the
    // third argument is where the descriptor is stored.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
    match pid {
        0 => match cgroup.map_or(Ok(()), join) {
            Ok(()) => crate::exec::exit(child()),
            Err(_) => crate::exec::exit(NOT_JOINED),
        },
        pid if pid > 0 => {
            // SAFETY: as of clone3.
            unsafe { Child::new(pid, pidfd) }
        }
        _ => Err(crate::exec::last_errno()),
    }
}

/// Moves this process into a cgroup, by its directory. No allocation.
fn join(cgroup: BorrowedFd<'_>) -> Result<(), Errno> {
    use rustix::fs::{Mode, OFlags};
    let file = rustix::fs::openat(cgroup, c"cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, b"0").map(drop)
}

/// Makes a sibling: a child of this process's parent, in the given new namespaces, that runs `child`. Its pid is as this
/// process sees it. No allocation.
///
/// # Safety
/// As of [`clone3`].
///
/// # Errors
/// As of [`clone3`].
#[expect(unsafe_code, reason = "no library wraps clone without a stack")]
pub unsafe fn sibling(namespaces: u64, child: impl FnOnce() -> i32) -> Result<Child, Errno> {
    let mut pidfd: libc::c_int = -1;
    // Its parent hears of its end by the signal that this process's end is told with.
    let flags = namespaces | libc::CLONE_PIDFD as u64 | libc::CLONE_PARENT as u64 | libc::SIGCHLD as u64;
    // SAFETY: as of clone2.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
    match pid {
        0 => crate::exec::exit(child()),
        pid if pid > 0 => {
            // SAFETY: as of clone3.
            unsafe { Child::new(pid, pidfd) }
        }
        _ => Err(crate::exec::last_errno()),
    }
}

/// Makes a plain child, by the system call that every filter permits: Docker's profile answers `clone3` with `ENOSYS`.
///
/// # Safety
/// As of [`clone3`].
///
/// # Errors
/// Those of `clone(2)`: `EAGAIN` at a limit of processes.
#[expect(unsafe_code, reason = "the C library's fork runs handlers and takes locks")]
pub unsafe fn fork(child: impl FnOnce() -> i32) -> Result<Pid, Errno> {
    // SAFETY: no stack and no flags: a copy of this process, whose only thread is the caller, as he promises.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(libc::SIGCHLD), 0, 0, 0, 0) };
    match pid {
        0 => crate::exec::exit(child()),
        pid if pid > 0 => i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH),
        _ => Err(crate::exec::last_errno()),
    }
}

/// Makes a child that holds a place: it has no descriptors, heeds no signal but `SIGKILL`, and dies with the thread that made
/// it. Whoever has it killed must wait for it as well.
///
/// # Errors
/// As of [`clone3`].
pub fn placeholder() -> Result<Child, Errno> {
    placeholder_in(0)
}

/// The same in new namespaces, which it keeps alive.
///
/// # Errors
/// As of [`clone3`].
pub fn placeholder_in(namespaces: u64) -> Result<Child, Errno> {
    let parent = rustix::process::getpid();
    // SAFETY: other threads may exist, but this child makes nothing but system calls: it meets none of their locks.
    #[expect(unsafe_code, reason = "clone3 asks for what the child may do")]
    unsafe {
        clone3(namespaces, None, || hold_place(parent))
    }
}

/// No allocation.
fn hold_place(parent: Pid) -> i32 {
    let everything = crate::signal::Set::full();
    everything.block();
    let dies = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // The parent may have ended before it was said that this one dies with it.
    if dies.is_err() || rustix::process::getppid() != Some(parent) || crate::exec::close_from(0).is_err() {
        return 1;
    }
    loop {
        everything.wait();
    }
}

/// Leaves the given namespaces for new ones. No allocation.
///
/// # Errors
/// Those of `unshare(2)`.
pub fn unshare(namespaces: u64) -> Result<(), Errno> {
    let flags = rustix::thread::UnshareFlags::from_bits_retain(u32::try_from(namespaces).unwrap_or_default());
    // SAFETY: only CLONE_FILES would break an invariant (descriptors shared between threads), and the constants of
    // `namespace` do not contain it.
    #[expect(unsafe_code, reason = "the wrapper is unsafe because of CLONE_FILES")]
    unsafe {
        rustix::thread::unshare_unsafe(flags)
    }
}
