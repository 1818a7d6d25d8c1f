//! Reserving the ports of one container.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::bind::{At, Leftovers, hold, limit};
use crate::{Error, ErrorKind, Protocol, Published, Result};

/// A port of a container that is to be reached from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Which transport.
    pub protocol: Protocol,
    /// At which addresses of the host: one of them, or 0.0.0.0 and `::`. All get the same port. None where the network that
    /// they lead over says.
    pub hosts: Vec<IpAddr>,
    /// The first of these ports of the host that is free at all of the addresses; where it is not said, of those that the
    /// host gives to anybody (`net.ipv4.ip_local_port_range`).
    pub host_ports: Option<RangeInclusive<u16>>,
    /// The container's port.
    pub port: u16,
}

/// Ports of the host that nobody else can have as long as this value lives.
#[derive(Debug, Default)]
pub struct Reservation {
    held: Vec<Held>,
}

/// One socket, and what is reserved by it: the addresses of both families, or one.
#[derive(Debug)]
struct Held {
    socket: OwnedFd,
    published: Vec<Published>,
}

impl Reservation {
    /// Reserves all of them, in this thread's network namespace, or none. Where the host has no IPv6, `::` is left out.
    ///
    /// If they need more descriptors than this process may have at the moment, it lets itself have as many as it may have at
    /// all: processes that are started from then on inherit that.
    ///
    /// # Errors
    /// `Conflict` for a port that somebody has, `Invalid` for an address that is not one of the host's, `Unsupported` for
    /// SCTP where the kernel has none, `System` without the privilege or without descriptors.
    pub fn take(wanted: &[Wanted]) -> Result<Reservation> {
        let mut reservation = Reservation::default();
        // What was found to be taken is not tried again for the next one.
        let mut next: Option<u16> = None;
        for one in wanted {
            let ports = one.host_ports.clone().unwrap_or_else(|| {
                let all = given_to_anybody();
                next.unwrap_or(*all.start())..=*all.end()
            });
            let port = reservation.first_free(one, ports)?;
            if one.host_ports.is_none() {
                next = port.checked_add(1);
            }
        }
        Ok(reservation)
    }

    /// Whether nothing is reserved.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What is reserved, in the order in which it was wanted.
    pub fn published(&self) -> impl Iterator<Item = &Published> {
        self.held.iter().flat_map(|held| &held.published)
    }

    /// The socket that holds a port, for [`super::Proxy::serve`]: one for both families where it can be.
    pub fn socket(&self, published: &Published) -> Option<BorrowedFd<'_>> {
        self.held.iter().find(|held| held.published.contains(published)).map(|held| held.socket.as_fd())
    }

    fn first_free(&mut self, wanted: &Wanted, ports: RangeInclusive<u16>) -> Result<u16> {
        let (first, last) = (*ports.start(), *ports.end());
        let leftovers = if wanted.host_ports.is_some() { Leftovers::Ignored } else { Leftovers::Respected };
        for port in ports {
            match at_all(wanted, port, leftovers) {
                Ok(held) => {
                    self.held.extend(held);
                    return Ok(port);
                }
                Err((Errno::ADDRINUSE, _)) if first != last => {}
                Err((errno, host)) => return Err(self.refused(errno, wanted.protocol, SocketAddr::new(host, port))),
            }
        }
        let hosts: Vec<String> = wanted.hosts.iter().map(ToString::to_string).collect();
        let message = format!("no port of {first}-{last}/{} is free at {}", wanted.protocol, hosts.join(" and "));
        Err(Error::new(ErrorKind::Conflict, message))
    }

    fn refused(&self, errno: Errno, protocol: Protocol, address: SocketAddr) -> Error {
        match errno {
            Errno::ADDRINUSE => Error::new(ErrorKind::Conflict, format!("port {address}/{protocol} is in use"))
                .with_hint("another container or program of the host has it: choose another port of the host (-p)"),
            Errno::ADDRNOTAVAIL => Error::invalid(format!("{}: not an address of this host", address.ip()))
                .with_hint("to publish a port, give an address of the host, or none for all"),
            Errno::ACCESS => Error::system(format!("port {address}/{protocol}"), errno).with_hint(
                "low ports need root (CAP_NET_BIND_SERVICE), or a smaller net.ipv4.ip_unprivileged_port_start",
            ),
            Errno::PROTONOSUPPORT | Errno::SOCKTNOSUPPORT if protocol == Protocol::Sctp => {
                Error::new(ErrorKind::Unsupported, format!("port {address}/sctp: this kernel has no SCTP"))
                    .with_hint("load the module sctp of the kernel")
            }
            Errno::MFILE => {
                let message = format!("port {address}/{protocol}, after {} others", self.held.len());
                Error::system(message, errno)
                    .with_hint(format!("each port takes one of {} descriptors: raise the limit (ulimit -n)", limit()))
            }
            errno => Error::system(format!("port {address}/{protocol}"), errno),
        }
    }
}

/// Holds a port at all addresses of a mapping; if that cannot be, tells the address.
fn at_all(wanted: &Wanted, port: u16, leftovers: Leftovers) -> std::result::Result<Vec<Held>, (Errno, IpAddr)> {
    const BOTH: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let published =
        |host: &IpAddr| Published { protocol: wanted.protocol, host: *host, host_port: port, port: wanted.port };
    let is_everywhere = BOTH.iter().all(|address| wanted.hosts.contains(address));
    let mut held = Vec::new();
    if is_everywhere {
        match hold(wanted.protocol, At::Everywhere, port, leftovers) {
            Ok(socket) => held.push(Held { socket, published: BOTH.iter().map(published).collect() }),
            Err(Errno::AFNOSUPPORT) => {
                let socket =
                    hold(wanted.protocol, At::One(BOTH[0]), port, leftovers).map_err(|errno| (errno, BOTH[0]))?;
                held.push(Held { socket, published: vec![published(&BOTH[0])] });
            }
            Err(errno) => return Err((errno, BOTH[0])),
        }
    }
    for host in wanted.hosts.iter().filter(|host| !(is_everywhere && BOTH.contains(host))) {
        let socket = hold(wanted.protocol, At::One(*host), port, leftovers).map_err(|errno| (errno, *host))?;
        held.push(Held { socket, published: vec![published(host)] });
    }
    Ok(held)
}

/// The ports that the host gives to those who do not choose.
fn given_to_anybody() -> RangeInclusive<u16> {
    const KERNELS: RangeInclusive<u16> = 32768..=60999;
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) if first > 0 => first..=last,
        _ => KERNELS,
    }
}
