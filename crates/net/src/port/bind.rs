//! Sockets that hold a port and do nothing else.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, bind, ipproto, listen, shutdown, socket_with, sockopt,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Protocol;

/// The addresses of a mapping that one socket can be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// One, or all of one family.
    One(IpAddr),
    /// All of both families.
    Everywhere,
}

/// Whether a port that is left from connections that have ended is taken nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftovers {
    /// It is not: there are others.
    Respected,
    /// It is: this one is wanted.
    Ignored,
}

/// Binds a port, so that nobody else can. It is not listened at, and datagrams are not kept.
///
/// # Errors
/// Those of `socket(2)` and `bind(2)`.
pub(super) fn hold(protocol: Protocol, at: At, port: u16, leftovers: Leftovers) -> Result<OwnedFd, Errno> {
    let socket = open(protocol, at)?;
    let address = match at {
        At::One(address) => SocketAddr::new(address, port),
        At::Everywhere => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
    };
    match bind(&socket, &address) {
        Err(Errno::ADDRINUSE) if protocol == Protocol::Tcp && leftovers == Leftovers::Ignored => {
            over_leftovers(&socket, &address)?;
        }
        other => other?,
    }
    if protocol == Protocol::Udp {
        sys::socket::discard(socket.as_fd())?;
    }
    Ok(socket)
}

/// Binds where connections that have ended are still waited for (`TIME_WAIT`), as `SO_REUSEADDR` has it. That option alone
/// would let everybody else who sets it have the port as well, unless somebody listens; having listened once is enough,
/// because the kernel then compares sockets again.
fn over_leftovers(socket: &OwnedFd, address: &SocketAddr) -> Result<(), Errno> {
    sockopt::set_socket_reuseaddr(socket, true)?;
    bind(socket, address)?;
    listen(socket, 0)?;
    shutdown(socket, Shutdown::Read)?;
    sockopt::set_socket_reuseaddr(socket, false)
}

fn open(protocol: Protocol, at: At) -> Result<OwnedFd, Errno> {
    let is_ipv6 = match at {
        At::One(address) => address.is_ipv6(),
        At::Everywhere => true,
    };
    let family = if is_ipv6 { AddressFamily::INET6 } else { AddressFamily::INET };
    let (kind, protocol) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
        Protocol::Sctp => (SocketType::STREAM, ipproto::SCTP),
    };
    let make = || socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, Some(protocol));
    let socket = match make() {
        Err(Errno::MFILE) if raise_limit() => make(),
        other => other,
    }?;
    if is_ipv6 {
        sockopt::set_ipv6_v6only(&socket, at != At::Everywhere)?;
    }
    Ok(socket)
}

/// Lets this process have as many descriptors as it may; false if it has them already.
fn raise_limit() -> bool {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok()
}

/// Whether so many descriptors may be used for one purpose: half of what this process may have is for others.
pub(super) fn affordable(count: usize) -> bool {
    let fits = || limit() / 2 >= count as u64;
    fits() || raise_limit() && fits()
}

/// How many descriptors this process may have.
pub(super) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
