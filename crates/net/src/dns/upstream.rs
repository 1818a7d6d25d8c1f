//! Servers that know names outside, and from where they are asked.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};

use super::ADDRESS;
use crate::link::visit;

/// A server that is asked for names that are not those of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// Where it is.
    pub address: SocketAddr,
    /// From where it is asked.
    pub from: Place,
}

/// Whose network something is sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The host's: of servers that the host asks itself, which may be at its loopback address.
    Host,
    /// The container's: of servers that the user gave.
    Container,
}

/// The network namespaces of the host and of a container.
#[derive(Debug)]
pub(super) struct Homes {
    pub(super) host: OwnedFd,
    pub(super) container: OwnedFd,
}

impl Homes {
    /// Does something in the container's network namespace, while this thread is in the host's.
    ///
    /// # Errors
    /// Those of `setns(2)`, and of what is done.
    pub(super) fn in_container<T, E: From<Errno>>(
        &self,
        work: impl FnOnce(BorrowedFd<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let container = self.container.as_fd();
        visit(self.host.as_fd(), container, || work(container))?
    }
}

impl Upstream {
    /// A connected socket, whose port is a random one. Of TCP, it may not be connected yet.
    pub(super) fn connect(&self, kind: SocketType, homes: &Homes) -> Result<OwnedFd, Errno> {
        let family = if self.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let make = || socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None);
        let socket = match self.from {
            Place::Host => make(),
            Place::Container => homes.in_container(|_| make()),
        }?;
        match connect(&socket, &self.address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(errno) => Err(errno),
        }
    }

    /// Whether it is another server than the one that would ask it: it would never come to an end.
    pub(super) fn is_not_ourselves(&self) -> bool {
        self.from == Place::Host || self.address != SocketAddr::V4(ADDRESS)
    }
}
