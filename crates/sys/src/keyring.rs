//! `keyctl(2)`: keyrings of sessions.

use std::ffi::CStr;

use rustix::io::Errno;

/// `KEYCTL_JOIN_SESSION_KEYRING`.
const JOIN_SESSION: libc::c_int = 1;

/// Gives the calling process a new session keyring of this name, so that the keys of its caller are out of reach. A
/// kernel without keyrings has nothing to be kept from. No allocation.
///
/// # Errors
/// Those of `keyctl(2)`: `EDQUOT` when the user has too many keys, `ENOMEM`.
pub fn join_session(name: &CStr) -> Result<(), Errno> {
    // SAFETY: the name is a C string that outlives the call; the others are plain numbers.
    #[expect(unsafe_code, reason = "no library in use wraps keyctl")]
    let result = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION, name.as_ptr(), 0, 0, 0) };
    match result {
        -1 => match crate::exec::last_errno() {
            // Not built in, or kept from us by a filter that we run under.
            Errno::NOSYS | Errno::PERM => Ok(()),
            errno => Err(errno),
        },
        _ => Ok(()),
    }
}
