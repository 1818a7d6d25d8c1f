//! Options and control messages of sockets that no library wraps safely (`socket(7)`, `ip(7)`, `ipv6(7)`).

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// Lets a socket of datagrams drop everything that arrives: it holds its port, and no memory.
///
/// # Errors
/// Those of `setsockopt(2)`.
pub fn discard(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    /// The classic program that keeps no byte of any packet.
    const NOTHING: libc::sock_filter = libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };
    let mut instructions = [NOTHING];
    let program = libc::sock_fprog { len: 1, filter: instructions.as_mut_ptr() };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Lets a socket receive again after [`discard`].
///
/// # Errors
/// `ENOENT` if it does already.
pub fn keep(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    set(socket, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0_i32)
}

fn set<T>(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int, value: &T) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(|_| Errno::INVAL)?;
    let value = (&raw const *value).cast();
    // SAFETY: the value is readable for its size, and what it points to outlives the call; the socket is open.
    #[expect(unsafe_code, reason = "options that rustix does not offer")]
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) };
    if result == 0 { Ok(()) } else { Err(crate::exec::last_errno()) }
}
