//! Sockets that wait for packets (`sock_diag(7)`), and whose they are.

use std::fs;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use rustix::net::Protocol;

use super::super::packet::{Flow, Transport};
use crate::error::Result;
use crate::link::in_namespace;
use crate::netlink::{Answer, Batch, Socket};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NETLINK_SOCK_DIAG`.
const SOCK_DIAG: u32 = 4;
/// `INET_DIAG_SKV6ONLY`.
const V6ONLY: u16 = 11;
/// `TCP_LISTEN`, as a bit.
const LISTENING: u32 = 1 << 10;
/// `TCP_CLOSE`, as a bit: what a socket of UDP is that talks to nobody in particular.
const UNCONNECTED: u32 = 1 << 7;

/// A socket that waits for packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Which transport.
    pub protocol: Transport,
    /// At which address; 0.0.0.0 and :: are all of its family, and :: those of IPv4 as well if it says so.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
    /// On which link only, by its number.
    pub link: Option<u32>,
    /// Whether it takes IPv6 only.
    pub only_ipv6: bool,
    /// The number of its file.
    pub inode: u32,
}

impl Listener {
    /// Whether it takes a packet that came in by this link.
    pub fn takes(&self, flow: Flow, input: Option<u32>) -> bool {
        let address = match self.address {
            IpAddr::V4(own) => own.is_unspecified() && flow.is_ipv4() || IpAddr::V4(own) == flow.destination,
            IpAddr::V6(own) if own.is_unspecified() => !flow.is_ipv4() || !self.only_ipv6,
            IpAddr::V6(own) => match own.to_ipv4_mapped() {
                Some(mapped) => IpAddr::V4(mapped) == flow.destination || mapped.is_unspecified() && flow.is_ipv4(),
                None => IpAddr::V6(own) == flow.destination,
            },
        };
        self.protocol == flow.protocol
            && self.port == flow.destination_port
            && address
            && self.link.is_none_or(|link| Some(link) == input)
    }

    /// The process that has it: its number and its name. None if it is not seen from here.
    pub fn process(&self) -> Option<(u32, String)> {
        let wanted = format!("socket:[{}]", self.inode);
        let has = |pid: &u32| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.as_os_str() == wanted.as_str())
        };
        let all = fs::read_dir("/proc").ok()?.flatten();
        let pid = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(has)?;
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Some((pid, name.trim().to_owned()))
    }
}

/// All of a namespace. What a kernel cannot tell is left out.
pub(super) fn listeners(namespace: BorrowedFd<'_>) -> Vec<Listener> {
    let protocol = rustix::net::Protocol::from_raw(std::num::NonZero::new(SOCK_DIAG).expect("it is not zero"));
    in_namespace(namespace, || {
        let mut all = Vec::new();
        for (transport, states) in [(Transport::Tcp, LISTENING), (Transport::Udp, UNCONNECTED)] {
            for family in [2, 10] {
                all.extend(ask(protocol, transport, family, states).unwrap_or_default());
            }
        }
        let sctp = fs::read_to_string("/proc/thread-self/net/sctp/eps").unwrap_or_default();
        all.extend(sctp.lines().filter_map(endpoint));
        Ok(all)
    })
    .unwrap_or_default()
}

fn ask(protocol: Protocol, transport: Transport, family: u8, states: u32) -> Result<Vec<Listener>> {
    let mut header = vec![family, transport.number(IpAddr::from([0, 0, 0, 0])), 0, 0];
    header.extend(states.to_ne_bytes());
    header.extend([0; 48]);
    let mut socket = Socket::open(Some(protocol))?;
    let ask = |batch: &mut Batch| {
        batch.list(BY_FAMILY, &header, "listing sockets");
    };
    socket.collect(ask, |answer| listener(transport, answer))
}

/// One of `struct inet_diag_msg`.
fn listener(protocol: Transport, answer: Answer<'_>) -> Option<Listener> {
    let (header, attributes) = answer.split::<72>().filter(|_| answer.kind == BY_FAMILY)?;
    let at = |from: usize| header.get(from..).and_then(<[u8]>::first_chunk::<4>).copied();
    let address = match header[0] {
        2 => IpAddr::from(at(8)?),
        _ => IpAddr::from(*header.get(8..)?.first_chunk::<16>()?),
    };
    let link = u32::from_ne_bytes(at(40)?);
    Some(Listener {
        protocol,
        address,
        port: u16::from_be_bytes([header[4], header[5]]),
        link: (link != 0).then_some(link),
        only_ipv6: attributes.get(V6ONLY).is_some_and(|only| only.bytes.first() == Some(&1)),
        inode: u32::from_ne_bytes(at(68)?),
    })
}

/// A line of `/proc/net/sctp/eps`: the sixth column is the port, the eighth the number of the file, then come addresses.
fn endpoint(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let address = fields.get(8)?.parse().ok()?;
    Some(Listener {
        protocol: Transport::Sctp,
        address,
        port: fields.get(5)?.parse().ok()?,
        link: None,
        only_ipv6: false,
        inode: fields.get(7)?.parse().ok()?,
    })
}
