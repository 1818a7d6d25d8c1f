//! Options of sockets that no library wraps safely (`socket(7)`).

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

/// Sets an option to a value that holds no other pointers than the option has.
pub(crate) fn set<T>(socket: BorrowedFd<'_>, level: i32, option: i32, value: &T) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(|_| Errno::INVAL)?;
    let value = (&raw const *value).cast();
    // SAFETY: the value is readable for its size, and what it points to outlives the call; the socket is open.
    #[expect(unsafe_code, reason = "options that rustix does not offer")]
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) };
    if result == 0 { Ok(()) } else { Err(crate::exec::last_errno()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_socket_that_discards_takes_nothing_until_it_keeps() {
        crate::loopback::in_own_network(|| {
            let server = UdpSocket::bind("127.0.0.1:0").expect("is free");
            let client = UdpSocket::bind("127.0.0.1:0").expect("is free");
            client.connect(server.local_addr().expect("is bound")).expect("is connected");
            server.set_nonblocking(true).expect("is set");
            discard(server.as_fd()).expect("is set");
            client.send(b"lost").expect("is sent");
            assert!(server.recv(&mut [0; 8]).is_err());
            keep(server.as_fd()).expect("is set");
            assert_eq!(keep(server.as_fd()), Err(Errno::NOENT));
            client.send(b"kept").expect("is sent");
            let mut buffer = [0; 8];
            assert_eq!(server.recv(&mut buffer).map(|length| buffer[..length].to_vec()).expect("has come"), b"kept");
        });
    }
}
