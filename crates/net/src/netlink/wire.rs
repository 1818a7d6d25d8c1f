//! The socket below: datagrams to the kernel and from it, blocking nowhere, because the kernel answers while it is asked.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::error::{Error, Result};

/// What the kernel fills at once of a list, if it is offered that much. It is memory of the heap, of which only what is
/// written to is ever there.
const BUFFER: usize = 32 * 1024;

/// A netlink socket of the network namespace in which it was made.
#[derive(Debug)]
pub(crate) struct Wire(OwnedFd);

impl Wire {
    /// A new one in the calling thread's network namespace; without a protocol, for `rtnetlink(7)`.
    ///
    /// It is connected to the kernel, so that nobody else can send to it: in a container's namespace, its root could.
    pub(crate) fn open(protocol: Option<Protocol>) -> Result<Wire> {
        let made = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol);
        let fd = made.map_err(|errno| Error::system("making a netlink socket", errno))?;
        rustix::net::connect(&fd, &SocketAddrNetlink::new(0, 0))
            .map_err(|errno| Error::system("connecting a netlink socket to the kernel", errno))?;
        // Better messages, which older kernels do not have.
        let _ = sys::netlink::extended_answers(fd.as_fd());
        Ok(Wire(fd))
    }

    /// Sends one datagram; the kernel has done what it says when this returns.
    pub(crate) fn send(&self, messages: &[u8]) -> std::result::Result<(), Errno> {
        retry_on_intr(|| rustix::net::send(&self.0, messages, SendFlags::empty())).map(drop)
    }

    /// One datagram of the kernel's, in place of what is in the buffer.
    ///
    /// # Errors
    /// `EAGAIN` if there is none.
    pub(crate) fn receive(&self, buffer: &mut Vec<u8>) -> std::result::Result<(), Errno> {
        buffer.clear();
        buffer.reserve(BUFFER);
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (_, length) = retry_on_intr(|| rustix::net::recv(&self.0, spare_capacity(buffer), flags))?;
        if length > buffer.len() { Err(Errno::MSGSIZE) } else { Ok(()) }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
