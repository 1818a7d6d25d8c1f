//! Landlock: rules about files that a process sets for itself and all it will start (`landlock(7)`).
//!
//! Nothing here allocates.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

use crate::exec::last_errno;

/// `struct landlock_ruleset_attr`, as much of it as every version has.
#[repr(C)]
struct Ruleset {
    handled_file_system: u64,
}

/// `struct landlock_path_beneath_attr`, which is packed.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// The version of the interface that this kernel has, from 1 on.
///
/// # Errors
/// `ENOSYS` where it was not built, `EOPNOTSUPP` where it was not switched on at boot.
pub fn version() -> Result<u32, Errno> {
    const VERSION: u32 = 1;
    // SAFETY: with this flag and no structure, the call only answers a number.
    #[expect(unsafe_code, reason = "no library of ours wraps Landlock")]
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0_usize, VERSION) };
    if answer < 0 { Err(last_errno()) } else { u32::try_from(answer).map_err(|_| Errno::INVAL) }
}

/// Makes a set of rules that forbids these kinds of access (`LANDLOCK_ACCESS_FS_*`) where no rule allows them.
///
/// # Errors
/// `EINVAL` for bits that this kernel does not know, `ENOMSG` for none at all.
pub fn ruleset(handled: u64) -> Result<OwnedFd, Errno> {
    let attributes = Ruleset { handled_file_system: handled };
    // SAFETY: the structure has the size given and is only read during the call.
    #[expect(unsafe_code, reason = "no library of ours wraps Landlock")]
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const attributes, size_of::<Ruleset>(), 0_u32) };
    let descriptor = i32::try_from(answer).map_err(|_| Errno::INVAL)?;
    if descriptor < 0 {
        return Err(last_errno());
    }
    // SAFETY: the kernel has just made it, close-on-exec, and nobody else knows of it.
    #[expect(unsafe_code, reason = "ownership of a new descriptor begins here")]
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Allows access to what is at and below a file or directory. No allocation.
///
/// # Errors
/// `EINVAL` for access that the set does not handle or that a file cannot have.
pub fn allow(ruleset: BorrowedFd<'_>, path: BorrowedFd<'_>, access: u64) -> Result<(), Errno> {
    const PATH_BENEATH: libc::c_int = 1;
    let rule = PathBeneath { allowed: access, parent: path.as_raw_fd() };
    // SAFETY: the structure is what this type of rule has, and is only read during the call.
    #[expect(unsafe_code, reason = "no library of ours wraps Landlock")]
    let answer = unsafe {
        libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), PATH_BENEATH, &raw const rule, 0_u32)
    };
    if answer < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Puts the calling thread, and all it starts, under the rules, for good. No allocation.
///
/// # Errors
/// `EPERM` without `no_new_privs` or `CAP_SYS_ADMIN`.
pub fn restrict(ruleset: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: takes a descriptor and a number.
    #[expect(unsafe_code, reason = "no library of ours wraps Landlock")]
    let answer = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    if answer < 0 { Err(last_errno()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!((size_of::<Ruleset>(), size_of::<PathBeneath>()), (8, 12));
    }

    #[test]
    fn a_set_of_nothing_or_of_the_unknown_is_refused() {
        let unavailable = |errno| matches!(errno, Errno::NOSYS | Errno::OPNOTSUPP);
        for handled in [0, 1 << 63] {
            let errno = ruleset(handled).expect_err("refused");
            assert!(matches!(errno, Errno::NOMSG | Errno::INVAL) || unavailable(errno), "{errno}");
        }
    }
}
