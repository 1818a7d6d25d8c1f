//! Starting a program that outlives its starter.

use std::cell::Cell;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use crate::exec::StringArray;

/// Starts the program behind `program` in a new session, with an empty environment (but for [`crate::fault`]'s), the root as working directory,
/// `/dev/null` as stdio, and `descriptors` as 3, 4, …; everything else is closed. It is a child of the caller.
///
/// The call returns as soon as the program runs. The child borrows the caller's memory until then (`CLONE_VM` and
/// `CLONE_VFORK`), so that starting costs the same however large the caller is.
///
/// # Errors
/// Those of `clone(2)`, and of `execveat(2)` as the child met them.
pub fn detached(
    program: BorrowedFd<'_>,
    arguments: &[&str],
    descriptors: &[BorrowedFd<'_>],
) -> Result<rustix::process::Pid, Errno> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null");
    let null = OwnedFd::from(null.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?);
    // Copies above every number that the child will give away, so that no dup2 hits a source that is still needed.
    let first_free = 3 + i32::try_from(descriptors.len()).map_err(|_| Errno::INVAL)?;
    let lifted = descriptors
        .iter()
        .chain([&program, &null.as_fd()])
        .map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, first_free))
        .collect::<Result<Vec<OwnedFd>, Errno>>()?;
    let (handed, own) = lifted.split_at(descriptors.len());
    let arguments = arguments.iter().map(|text| CString::new(*text)).collect::<Result<_, _>>();
    let arguments = StringArray::new(arguments.map_err(|_| Errno::INVAL)?);
    let plan = Plan {
        handed,
        program: &own[0],
        null: &own[1],
        arguments,
        environment: StringArray::new(crate::fault::environment()),
        failure: Cell::new(NONE),
    };
    vfork(&plan)
}

struct Plan<'a> {
    handed: &'a [OwnedFd],
    program: &'a OwnedFd,
    null: &'a OwnedFd,
    arguments: StringArray,
    environment: StringArray,
    /// What stopped the child; it writes into this very memory.
    failure: Cell<Errno>,
}

/// No failure was noted; errno 0 does not exist.
const NONE: Errno = Errno::from_raw_os_error(4095);

/// Bytes of stack for the child, which only makes system calls.
const STACK: usize = 64 * 1024;

#[expect(unsafe_code, reason = "the standard library's spawn cannot place descriptors")]
fn vfork(plan: &Plan<'_>) -> Result<rustix::process::Pid, Errno> {
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end;
    // A handler that ran in the child would run on the parent's memory.
    let before = crate::signal::Set::full().block();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is large enough and aligned, and the parent is suspended until the child has become another
    // program or ended, so stack and plan outlive its use of them. The child makes system calls only.
    let pid = unsafe { libc::clone(entry, top.cast(), flags, (&raw const *plan).cast_mut().cast()) };
    let failed = crate::exec::last_errno();
    before.block();
    match pid {
        pid if pid < 0 => Err(failed),
        pid if plan.failure.get() == NONE => rustix::process::Pid::from_raw(pid).ok_or(Errno::SRCH),
        pid => {
            let pid = rustix::process::Pid::from_raw(pid);
            rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).ok();
            Err(plan.failure.get())
        }
    }
}

/// Where the child begins.
extern "C" fn entry(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the pointer is the plan that `vfork` keeps alive and does not touch while this runs.
    #[expect(unsafe_code, reason = "clone passes one untyped pointer")]
    let plan = unsafe { &*plan.cast::<Plan<'_>>() };
    let failure = become_program(plan).err().unwrap_or(NONE);
    plan.failure.set(failure);
    crate::exec::exit(127)
}

/// The child's part; it returns only if something fails. No allocation.
#[expect(unsafe_code, reason = "dup2 onto fixed numbers has no safe wrapper")]
fn become_program(plan: &Plan<'_>) -> Result<(), Errno> {
    let stdio = [plan.null; 3];
    for (target, source) in stdio.into_iter().chain(plan.handed).enumerate() {
        let target = i32::try_from(target).map_err(|_| Errno::MFILE)?;
        // SAFETY: the sources lie above every target, so nothing that is still needed is replaced.
        if unsafe { libc::dup2(source.as_raw_fd(), target) } < 0 {
            return Err(crate::exec::last_errno());
        }
    }
    rustix::process::setsid()?;
    rustix::process::chdir(c"/")?;
    crate::signal::Set::empty().block();
    let first_other = u32::try_from(3 + plan.handed.len()).map_err(|_| Errno::MFILE)?;
    crate::exec::close_on_exec_from(first_other)?;
    Err(crate::exec::execveat(plan.program.as_fd(), &plan.arguments, &plan.environment))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_program_runs_with_its_descriptors_in_place() {
        let shell = std::fs::File::open("/bin/sh").expect("a shell");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let script = "echo $0 $PWD >&3; cat /proc/$$/stat | cut -d' ' -f6 >&3; echo $$ >&3";
        let pid = detached(shell.as_fd(), &["name", "-c", script, "zero"], &[writer.as_fd()]).expect("starts");
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("reads to the end, as no one else holds the pipe");
        rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).expect("is a child");
        let number = pid.as_raw_nonzero();
        assert_eq!(text, format!("zero /\n{number}\n{number}\n"));
    }

    #[test]
    fn what_is_no_program_is_an_error_and_no_zombie() {
        let directory = std::fs::File::open("/").expect("a directory");
        assert_eq!(detached(directory.as_fd(), &["x"], &[]), Err(Errno::ACCESS));
    }
}
