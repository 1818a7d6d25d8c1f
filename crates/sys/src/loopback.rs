//! The one interface every network namespace is born with, down.

use std::os::fd::AsRawFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// `IFF_UP | IFF_RUNNING` (`netdevice(7)`), in the type of the field.
const UP_AND_RUNNING: libc::c_short = 0x41;

/// `SIOCSIFFLAGS`, in the type of `ioctl`'s argument.
const SET_FLAGS: libc::Ioctl = 0x8914;

/// Sets the flags `UP` and `RUNNING` of `lo` in this network namespace (`netdevice(7)`, `SIOCSIFFLAGS`). No allocation.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN` over the namespace.
pub fn up() -> Result<(), Errno> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: the structure consists of integers and byte arrays, for which zero is a value.
    #[expect(unsafe_code, reason = "the C structure has a union and no constructor")]
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The character of C is signed on x86-64 and unsigned on aarch64.
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    request.ifr_ifru.ifru_flags = UP_AND_RUNNING;
    // SAFETY: SIOCSIFFLAGS reads an ifreq, which the pointer gives; the socket is open.
    #[expect(unsafe_code, reason = "an ioctl that rustix does not offer")]
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SET_FLAGS, &raw const request) };
    if result == 0 { Ok(()) } else { Err(crate::exec::last_errno()) }
}

/// Runs a test on a thread with a network of its own, in which there is `lo`.
#[cfg(test)]
pub(crate) fn in_own_network(test: impl FnOnce() + Send) {
    let inside = || {
        crate::namespace::unshare_network().expect("tests run as root");
        up().expect("every namespace has it");
        test();
    };
    std::thread::scope(|scope| scope.spawn(inside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
}
