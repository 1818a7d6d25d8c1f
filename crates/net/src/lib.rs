//! Container networks: what they are, and how they come to be.
//!
//! A network is a definition ([`Network`]) that an engine keeps. What lives on it is noted in its register
//! ([`register`]): one file per network below /run, from which everything else follows: addresses that are taken, names
//! that are answered, rules of the firewall. So everybody who has the files can put all of it right, and nobody has to be
//! alive for it.
//!
//! Everything is spoken to the kernel by netlink: no program is started, but for the one backend that is `iptables`. The
//! crate is synchronous, keeps no state in memory, and is used by engines and by the supervisor of each container alike.

/// Addresses, subnets, hardware addresses, and finding ones that are free.
pub mod address;
/// What of a container is on a network.
pub mod endpoint;
/// What a network is.
pub mod network;

/// What a container's supervisor does about its networks.
pub mod attach;
/// Which addresses an endpoint gets.
pub mod lease;
/// All networks of a store on this host.
pub mod realm;
/// What lives on each network, as files.
pub mod register;
/// What is on this host and belongs to nobody.
pub mod stray;

/// Answering names of containers, and forwarding the rest.
mod dns;
/// What the firewall has to say about networks, and putting it into the kernel.
mod firewall;
/// Bridges, pairs of virtual Ethernet devices, addresses and routes (`rtnetlink(7)`).
pub mod link;
/// nftables as data: encoded, decoded, shown in the words of `nft(8)`.
mod nft;
/// Ports of the host that lead to containers: reserving them, and passing on what the kernel does not.
pub mod port;
/// The way of a packet, step by step, through rules of anybody.
pub mod trace;

mod error;
/// Requests to the kernel and its answers, as bytes on a socket.
mod netlink;
/// Components at work on threads, for tests.
#[cfg(test)]
mod running;
/// Network namespaces for tests.
#[cfg(test)]
mod testing;
/// What a component waits for, behind one descriptor.
mod watch;
/// Whether all rules are in the kernel, without looking at them.
mod whole;

pub use dns::ADDRESS as NAME_SERVER;
pub use endpoint::{Endpoint, Protocol, Published};
pub use error::{Error, ErrorKind, Result};
pub use firewall::Backend;
pub use network::{Driver, Network, Pool};
pub use realm::Realm;
