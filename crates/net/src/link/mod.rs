//! Links, addresses and routes, by `rtnetlink(7)`: bridges of networks, attachments of containers to them, and what is there.
//!
//! [`Links`] is a socket of one network namespace and stays with it, wherever its user goes. All of a change travels in one
//! datagram. Names of links that come from users are checked here before they become a part of a path below /proc/sys.
//! The firewall, ports and names of containers are the concern of others.

/// Containers attached to bridges.
mod attach;
/// Bridges of networks.
mod bridge;
/// What links say of themselves that only few want to know.
mod detail;
/// The forwarding of packets by this host.
mod forwarding;
/// The container's end of any attachment.
mod interface;
/// Links and their addresses, as they are.
mod list;
/// Neighbours of links, and ports behind which a bridge knows hardware addresses.
mod neighbour;
/// Numbers of the kernel's interface.
mod numbers;
/// Subnets that are taken on this host.
mod overlap;
/// Links on top of a link of the host: macvlan, ipvlan, 802.1Q.
mod parent;
/// Which way a packet would go.
mod route;
/// Settings of links that netlink does not carry.
mod sysctl;
/// Other network namespaces, for a moment.
mod visit;

#[cfg(test)]
mod tests;

use std::fmt::{self, Display};
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

pub use attach::{Attach, Port};
pub use bridge::Bridge;
pub use detail::Detail;
pub use interface::{Interface, set_gateways};
pub use list::Link;
pub use neighbour::{Forwarding, Neighbour, NeighbourState};
pub use parent::SubLink;
pub use route::{Route, RouteKind, Way};
pub use visit::in_namespace;
pub(crate) use visit::visit;

use crate::address::Subnet;
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::{Batch, Request, Socket};
use numbers::{
    DELLINK, F_CREATE, F_REPLACE, IFA_ADDRESS, IFA_BROADCAST, IFA_F_NODAD, IFA_LOCAL, IFF_UP, IFLA_IFNAME, IFLA_MTU,
    NEWADDR, SETLINK, family,
};

/// `IFNAMSIZ`, without the zero at the end.
const NAME_LENGTH: usize = 15;

/// The links of one network namespace: a socket on which requests about them travel.
#[derive(Debug)]
pub struct Links {
    socket: Socket,
}

/// An address of a link, with the size of the subnet around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The address.
    pub ip: IpAddr,
    /// How many of its bits are those of the subnet.
    pub prefix: u8,
}

impl InterfaceAddress {
    /// The subnet around it.
    ///
    /// # Errors
    /// `Invalid` for a prefix that is longer than the address.
    pub fn subnet(self) -> Result<Subnet> {
        Subnet::new(self.ip, self.prefix)
    }
}

impl Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

impl Links {
    /// The links of the calling thread's network namespace.
    ///
    /// # Errors
    /// `System`.
    pub fn open() -> Result<Links> {
        Ok(Links { socket: Socket::open(None)? })
    }

    /// The links of another network namespace. The calling thread is there for a moment.
    ///
    /// # Errors
    /// `System`.
    pub fn open_in(namespace: BorrowedFd<'_>) -> Result<Links> {
        in_namespace(namespace, Links::open)
    }

    /// The number of the link with this name; None if there is none. One system call, without a netlink message.
    ///
    /// # Errors
    /// `System`.
    pub fn index(&self, name: &str) -> Result<Option<u32>> {
        match rustix::net::netdevice::name_to_index(&self.socket, name) {
            Ok(index) => Ok(Some(index)),
            Err(Errno::NODEV) => Ok(None),
            Err(errno) => Err(Error::system(format!("link {name}"), errno)),
        }
    }

    /// Deletes a link; of a pair, both. That there is none is no error.
    ///
    /// # Errors
    /// `Invalid` for what cannot be a name, `System` if the kernel refuses, as it does for hardware.
    pub fn delete(&mut self, name: &str) -> Result<()> {
        check_name(name)?;
        let mut batch = Batch::default();
        batch
            .change(DELLINK, 0, &link_header(0, 0), format!("deleting {name}"))
            .text(IFLA_IFNAME, name)
            .tolerate(Errno::NODEV);
        self.socket.apply(batch)
    }
}

/// Deletes a container's interface, and with it the host's end of its pair, at once. That there is none is no error.
///
/// # Errors
/// As of [`Links::delete`].
pub fn detach(namespace: BorrowedFd<'_>, interface: &str) -> Result<()> {
    Links::open_in(namespace)?.delete(interface)
}

/// Whether the kernel takes a name for a link (`dev_valid_name`). A `%` it would replace by a number.
///
/// # Errors
/// `Invalid`.
pub fn check_name(name: &str) -> Result<()> {
    let ok = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
    if name.is_empty() || name.len() > NAME_LENGTH || matches!(name, "." | "..") || !name.chars().all(ok) {
        let what = format!("{name:?} cannot be the name of a link");
        return Err(Error::invalid(what).with_hint("1 to 15 letters, digits and signs, but no space, /, : or %"));
    }
    Ok(())
}

/// `struct ifinfomsg` that sets flags.
fn link_header(index: u32, flags: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..].copy_from_slice(&flags.to_ne_bytes());
    header
}

/// Brings a link up.
fn set_up<'a>(batch: &'a mut Batch, index: u32, name: &str, mtu: Option<u32>) -> Request<'a> {
    let mut request = batch.change(SETLINK, 0, &link_header(index, IFF_UP), format!("bringing {name} up"));
    if let Some(mtu) = mtu {
        request.u32(IFLA_MTU, mtu);
    }
    request
}

/// Gives a link an address that is usable at once: without asking the neighbours whether they have it (RFC 4862, 5.4),
/// which takes a second, and which is settled by the register of the network.
fn add_address(batch: &mut Batch, index: u32, name: &str, address: InterfaceAddress) {
    let [a, b, c, d] = index.to_ne_bytes();
    let header = [family(address.ip), address.prefix, IFA_F_NODAD, 0, a, b, c, d];
    let mut request = batch.change(NEWADDR, F_CREATE | F_REPLACE, &header, format!("adding {address} to {name}"));
    request.address(IFA_LOCAL, address.ip).address(IFA_ADDRESS, address.ip);
    if let Some(IpAddr::V4(last)) = address.subnet().ok().filter(|subnet| subnet.prefix() < 31).map(Subnet::last) {
        request.bytes(IFA_BROADCAST, &last.octets());
    }
}

/// That the kernel lacks a kind of link, said so.
fn without_kind(error: Error, kind: &str, module: &str) -> Error {
    if error.errno() != Some(Errno::OPNOTSUPP) {
        return error;
    }
    Error::new(ErrorKind::Unsupported, format!("this kernel has no links of kind {kind}"))
        .with_hint(format!("`modprobe {module}` loads it where it is a module"))
}
