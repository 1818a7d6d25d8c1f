//! Installing a compiled system call filter: `seccomp(2)`, operation `SECCOMP_SET_MODE_FILTER`.
//!
//! Owns the kernel's form of an instruction and of a program. Never decides what a filter says: that is compiled by
//! `runtime::seccomp`.

use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;

/// One instruction of classic BPF, laid out as the kernel's `struct sock_filter`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// Class, size and mode of the operation (`linux/bpf_common.h`).
    pub code: u16,
    /// How many instructions a conditional jump skips when its condition holds.
    pub jump_true: u8,
    /// How many it skips when the condition does not hold.
    pub jump_false: u8,
    /// The operand: a constant, an offset, or the length of an unconditional jump.
    pub k: u32,
}

/// Size of `struct seccomp_data`, which is all that a program can read: number, architecture, address, six arguments.
pub const DATA_SIZE: u32 = 64;

/// The most instructions the kernel takes in one program (`BPF_MAXINSNS`).
pub const MAX_INSTRUCTIONS: usize = 4096;

/// Wait until all other threads run under the same filter, or fail.
pub const FLAG_TSYNC: u32 = 1;
/// Record every action other than "allow" in the audit log.
pub const FLAG_LOG: u32 = 1 << 1;
/// Leave the mitigation of speculative store bypass off.
pub const FLAG_SPEC_ALLOW: u32 = 1 << 2;
/// Return a descriptor on which another process answers the calls that the filter passes to it.
pub const FLAG_NEW_LISTENER: u32 = 1 << 3;
/// While such an answer is awaited, only fatal signals interrupt the call (Linux 5.19).
pub const FLAG_WAIT_KILLABLE_RECV: u32 = 1 << 5;

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

/// Puts the calling thread under `program`, for good, together with everything it executes or forks afterwards.
///
/// `flags` is a set of the `FLAG_…` constants. What comes back is the listener if [`FLAG_NEW_LISTENER`] is among them.
/// The caller has `CAP_SYS_ADMIN` in its user namespace, or has set `no_new_privs`.
///
/// No allocation.
///
/// # Errors
/// Those of `seccomp(2)`: `EACCES` without the privilege, `EINVAL` for a program that the kernel's checker refuses, for
/// one that is empty or longer than [`MAX_INSTRUCTIONS`], and for unknown flags; `ESRCH` if another thread could not
/// be brought under the filter.
#[expect(unsafe_code, reason = "no library wraps seccomp")]
pub fn install(program: &[Instruction], flags: u32) -> rustix::io::Result<Option<OwnedFd>> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let program = Program { length, instructions: program.as_ptr() };
    // SAFETY: the kernel reads `program` and the `length` instructions behind its pointer during the call only, and
    // both are borrowed for longer than that. The other arguments are plain numbers. The call changes no memory of
    // this process.
    let answer = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, std::ptr::from_ref::<Program>(&program))
    };
    let Ok(answer) = i32::try_from(answer) else { return Err(Errno::INVAL) };
    if answer < 0 {
        return Err(last_errno());
    }
    if flags & FLAG_NEW_LISTENER != 0 {
        // SAFETY: with this flag the answer is a descriptor that the kernel has just made for us and that nobody else
        // knows of.
        return Ok(Some(unsafe { OwnedFd::from_raw_fd(answer) }));
    }
    // With TSYNC, a positive answer names a thread that runs under another filter already.
    if answer > 0 { Err(Errno::SRCH) } else { Ok(None) }
}

/// Whether this kernel knows a flag. Nothing is installed: flags are looked at before the program, and there is none.
#[expect(unsafe_code, reason = "no library wraps seccomp")]
pub fn has_flag(flag: u32) -> bool {
    // The kernel receives only what it would have a listener for.
    let flag = if flag == FLAG_WAIT_KILLABLE_RECV { flag | FLAG_NEW_LISTENER } else { flag };
    let none = std::ptr::null::<Program>();
    // SAFETY: the kernel refuses to read a program at address zero, with EFAULT, and changes nothing.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flag, none) };
    answer < 0 && last_errno() == Errno::FAULT
}

/// The errno of the call that has just failed on this thread. No allocation.
fn last_errno() -> Errno {
    std::io::Error::last_os_error().raw_os_error().map_or(Errno::INVAL, Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `return k`
    const fn give(k: u32) -> Instruction {
        Instruction { code: 0x06, jump_true: 0, jump_false: 0, k }
    }

    const ALLOW: u32 = 0x7fff_0000;

    #[test]
    fn layout_is_that_of_the_kernel() {
        assert_eq!(size_of::<Instruction>(), 8);
        assert_eq!(size_of::<Program>(), size_of::<libc::sock_fprog>());
    }

    #[test]
    fn what_the_kernel_refuses_comes_back_as_errno() {
        assert_eq!(install(&[], 0).map(|_| ()), Err(Errno::INVAL));
        assert_eq!(install(&vec![give(ALLOW); 4097], 0).map(|_| ()), Err(Errno::INVAL));
        assert_eq!(install(&vec![give(ALLOW); 70_000], 0).map(|_| ()), Err(Errno::INVAL));
        assert_eq!(install(&[give(ALLOW)], 1 << 31).map(|_| ()), Err(Errno::INVAL));
    }

    #[test]
    fn flags_are_known_or_not() {
        for flag in [FLAG_TSYNC, FLAG_LOG, FLAG_SPEC_ALLOW, FLAG_NEW_LISTENER, FLAG_WAIT_KILLABLE_RECV] {
            assert!(has_flag(flag), "{flag}");
        }
        assert!(!has_flag(1 << 31));
    }

    #[test]
    fn a_filter_holds_for_its_thread_alone_and_a_listener_is_a_descriptor() {
        let installed = std::thread::spawn(|| {
            rustix::thread::set_no_new_privs(true)?;
            let none = install(&[give(ALLOW)], FLAG_SPEC_ALLOW)?;
            let listener = install(&[give(ALLOW)], FLAG_NEW_LISTENER)?;
            Ok::<_, Errno>((none.is_none(), listener.is_some()))
        });
        assert_eq!(installed.join().expect("the thread does not panic"), Ok((true, true)));
    }
}
