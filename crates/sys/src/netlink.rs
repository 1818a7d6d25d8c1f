//! Options of netlink sockets (`netlink(7)`).

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

/// Lets the kernel say in words why it refuses a request (`NETLINK_EXT_ACK`).
///
/// # Errors
/// `ENOPROTOOPT` before Linux 4.12.
pub fn extended_answers(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    set(socket, libc::NETLINK_EXT_ACK)
}

/// Lets the kernel take the header and the attributes of a request for a list as a filter, and refuse those that it does
/// not know (`NETLINK_GET_STRICT_CHK`). Otherwise it ignores them and lists everything.
///
/// # Errors
/// `ENOPROTOOPT` before Linux 4.20.
pub fn strict_lists(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    set(socket, libc::NETLINK_GET_STRICT_CHK)
}

fn set(socket: BorrowedFd<'_>, option: i32) -> Result<(), Errno> {
    crate::socket::set(socket, libc::SOL_NETLINK, option, &1_i32)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::net::{AddressFamily, SocketType};

    use super::*;

    #[test]
    fn options_are_set_on_netlink_and_refused_elsewhere() {
        let route = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, None).expect("can be made");
        assert_eq!(extended_answers(route.as_fd()), Ok(()));
        assert_eq!(strict_lists(route.as_fd()), Ok(()));
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("can be made");
        assert!(extended_answers(one.as_fd()).is_err());
    }
}
