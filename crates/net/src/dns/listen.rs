//! The sockets of the server in the container's network namespace.
//!
//! A container may have a name server of its own at 0.0.0.0 port 53, which a socket of ours at 127.0.0.11 port 53 would be
//! in the way of. So ours have other ports, and a program of the namespace gives them what is sent to 127.0.0.11 port 53
//! ([`super::steer`]). Connections that come so have that address by themselves; datagrams are sent by a raw socket, because
//! no other one sends from a port that it does not have. There is nothing of that to be seen in the container but the
//! ports, and nothing of it takes part in connection tracking.
//!
//! Where that cannot be (before Linux 5.9, or without privileges of the host), the sockets are bound to port 53 itself.

use std::io::IoSlice;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType, bind, ipproto, listen,
    sendmsg_addr, socket_with, sockopt,
};
use sys::bpf::{SocketMap, Steering};

use super::steer;
use crate::{Error, Result};

/// Where containers ask, which is where Docker's do.
pub const ADDRESS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 11), 53);

/// How many connections wait to be accepted.
const BACKLOG: i32 = 64;

/// How a server gets what is sent to its address.
#[derive(Debug)]
enum Way {
    /// By the program, which works as long as this value lives, and answering from a raw socket.
    Steered { raw: OwnedFd, _steering: Steering },
    /// By being bound to it.
    Bound,
}

/// The server's sockets; none of them blocks.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) udp: OwnedFd,
    pub(super) tcp: OwnedFd,
    way: Way,
}

impl Sockets {
    /// Opens them in this thread's network namespace, which `network` is a descriptor of.
    ///
    /// # Errors
    /// `Conflict` if the container has a socket at the address itself, and it cannot be done otherwise.
    pub(super) fn open(network: BorrowedFd<'_>) -> Result<Sockets> {
        Sockets::steered(network).or_else(|_| Sockets::bound())
    }

    /// With a program.
    pub(super) fn steered(network: BorrowedFd<'_>) -> std::result::Result<Sockets, Errno> {
        let (udp, tcp) = pair(0)?;
        let raw = socket(SocketType::RAW, Some(ipproto::RAW))?;
        // It only sends. What the container may send to it is nothing that it should hold memory for.
        sys::socket::discard(raw.as_fd())?;
        let map = SocketMap::new(&[udp.as_fd(), tcp.as_fd()])?;
        let steering = sys::bpf::steer(network, &steer::program(*ADDRESS.ip(), ADDRESS.port(), &map))?;
        Ok(Sockets { udp, tcp, way: Way::Steered { raw, _steering: steering } })
    }

    /// Without.
    pub(super) fn bound() -> Result<Sockets> {
        let (udp, tcp) = pair(ADDRESS.port()).map_err(|errno| match errno {
            Errno::ADDRINUSE => Error::new(crate::ErrorKind::Conflict, format!("{ADDRESS} is in use"))
                .with_hint("the container has a name server of its own: without names, it needs --dns"),
            errno => Error::system(format!("name server at {ADDRESS}"), errno),
        })?;
        Ok(Sockets { udp, tcp, way: Way::Bound })
    }

    /// Sends a reply by UDP. One that cannot be sent is lost, as datagrams are: who asked asks again.
    pub(super) fn reply(&self, to: SocketAddrV4, bytes: &[u8]) {
        let mut control = SendAncillaryBuffer::default();
        let to_any = SocketAddr::V4(to);
        match &self.way {
            Way::Bound => sendmsg_addr(&self.udp, &to_any, &[IoSlice::new(bytes)], &mut control, SendFlags::DONTWAIT),
            Way::Steered { raw, .. } => {
                let header = headers(to, bytes.len());
                let slices = [IoSlice::new(&header), IoSlice::new(bytes)];
                sendmsg_addr(raw, &to_any, &slices, &mut control, SendFlags::DONTWAIT)
            }
        }
        .ok();
    }
}

/// A socket of UDP and a listening one of TCP, at the server's address and a port.
fn pair(port: u16) -> std::result::Result<(OwnedFd, OwnedFd), Errno> {
    // The container brings it up itself, which may be later than this; without it nobody has the address.
    sys::loopback::up()?;
    let address = SocketAddr::V4(SocketAddrV4::new(*ADDRESS.ip(), port));
    let udp = socket(SocketType::DGRAM, None)?;
    let tcp = socket(SocketType::STREAM, None)?;
    for one in [&udp, &tcp] {
        // The container's own servers set it as well, and then none is in the way of connections that are left.
        sockopt::set_socket_reuseaddr(one, true)?;
        bind(one, &address)?;
    }
    listen(&tcp, BACKLOG)?;
    Ok((udp, tcp))
}

fn socket(kind: SocketType, protocol: Option<Protocol>) -> std::result::Result<OwnedFd, Errno> {
    socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, protocol)
}

/// Headers of IP (RFC 791) and UDP (RFC 768) of a datagram from the server's address. The kernel fills in length, number
/// and checksum of IP (`raw(7)`); a checksum of UDP is not needed where nothing leaves the host.
fn headers(to: SocketAddrV4, length: usize) -> [u8; 28] {
    const VERSION_AND_LENGTH: u8 = 0x45;
    const TIME_TO_LIVE: u8 = 64;
    let mut headers = [0; 28];
    headers[0] = VERSION_AND_LENGTH;
    headers[8] = TIME_TO_LIVE;
    headers[9] = 17;
    headers[12..16].copy_from_slice(&ADDRESS.ip().octets());
    headers[16..20].copy_from_slice(&to.ip().octets());
    headers[20..22].copy_from_slice(&ADDRESS.port().to_be_bytes());
    headers[22..24].copy_from_slice(&to.port().to_be_bytes());
    let length = u16::try_from(length + 8).unwrap_or(u16::MAX);
    headers[24..26].copy_from_slice(&length.to_be_bytes());
    headers
}
