//! The packet that a trace is about: on paper only, but with every byte of its headers, because rules look at bytes.
//!
//! It is the first of a connection, or the answer to it: of TCP a SYN as Linux sends it, of UDP a datagram of one byte, of
//! SCTP an INIT, of ICMP an echo request.

use std::net::IpAddr;

use serde::Serialize;

use super::connection::Connection;
use crate::address::Mac;
use crate::link::Way;

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// `tcp(7)`.
    Tcp,
    /// `udp(7)`.
    Udp,
    /// `sctp(7)`.
    Sctp,
    /// `icmp(7)`, or that of IPv6.
    Icmp,
}

/// An interface, as rules see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its kind; empty of hardware and `lo`.
    pub kind: String,
    /// Its group.
    pub group: u32,
    /// What its frames are (`ARPHRD_*`): 1 Ethernet, 772 `lo`.
    pub hardware: u16,
}

/// What connection tracking knows about a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tracking {
    /// Nothing yet.
    Unseen,
    /// It was told to keep away.
    Untracked,
    /// Its connection.
    Tracked(Connection),
}

/// The four or five numbers that name a packet's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// What it carries.
    pub protocol: Transport,
    /// Where it comes from.
    pub source: IpAddr,
    /// From which port; of ICMP, the identifier.
    pub source_port: u16,
    /// Where it goes.
    pub destination: IpAddr,
    /// To which port; of ICMP, the identifier.
    pub destination_port: u16,
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// Where from, where to.
    pub flow: Flow,
    /// Whether it is the answer to the first.
    pub answer: bool,
    /// Its mark.
    pub mark: u32,
    /// How many routers it may still pass.
    pub hops: u8,
    /// Whether it was made on this host, by a socket that is still known.
    pub local: bool,
    /// The interface that it came in by.
    pub input: Option<Device>,
    /// The interface that it leaves by.
    pub output: Option<Device>,
    /// The port of a bridge that it came in by.
    pub input_port: Option<Device>,
    /// The port of a bridge that it leaves by.
    pub output_port: Option<Device>,
    /// Hardware addresses: where from, where to. There are none before it was on a link.
    pub hardware: Option<(Mac, Mac)>,
    /// What connection tracking knows.
    pub tracking: Tracking,
}

/// SYN, of TCP's flags.
const SYN: u8 = 0x02;
/// ACK.
const ACK: u8 = 0x10;
/// What Linux sends with a SYN: maximum segment size, selective acknowledgements, time stamps, window scale.
const TCP_OPTIONS: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];

impl Transport {
    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Transport> {
        match name {
            "tcp" => Some(Transport::Tcp),
            "udp" => Some(Transport::Udp),
            "sctp" => Some(Transport::Sctp),
            "icmp" | "icmpv6" | "ping" => Some(Transport::Icmp),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Sctp => "sctp",
            Transport::Icmp => "icmp",
        }
    }

    /// Its number above an address of this family (IANA, Assigned Internet Protocol Numbers).
    pub fn number(self, above: IpAddr) -> u8 {
        match self {
            Transport::Tcp => 6,
            Transport::Udp => 17,
            Transport::Sctp => 132,
            Transport::Icmp if above.is_ipv4() => 1,
            Transport::Icmp => 58,
        }
    }

    /// Whether it has ports.
    pub fn has_ports(self) -> bool {
        self != Transport::Icmp
    }
}

impl Flow {
    /// That of the answer.
    #[must_use]
    pub fn reversed(self) -> Flow {
        Flow {
            protocol: self.protocol,
            source: self.destination,
            source_port: self.destination_port,
            destination: self.source,
            destination_port: self.source_port,
        }
    }

    /// Whether it is one of IPv4.
    pub fn is_ipv4(self) -> bool {
        self.destination.is_ipv4()
    }

    /// What the kernel is asked about its way: of one that came in by the link of a number, or that is made here.
    pub(super) fn way(self, arriving: Option<u32>, mark: u32) -> Way {
        // The kernel takes no other protocols here.
        let protocol = Some(self.protocol).filter(|protocol| matches!(protocol, Transport::Tcp | Transport::Udp));
        let number = protocol.map(|protocol| protocol.number(self.destination));
        Way {
            source: Some(self.source),
            arriving,
            mark,
            carries: number.map(|number| (number, self.source_port, self.destination_port)),
            ..Way::to(self.destination)
        }
    }
}

impl std::fmt::Display for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = |address: IpAddr, port: u16| match (address, self.protocol) {
            (address, Transport::Icmp) => address.to_string(),
            (IpAddr::V4(address), _) => format!("{address}:{port}"),
            (IpAddr::V6(address), _) => format!("[{address}]:{port}"),
        };
        let (from, to) = (end(self.source, self.source_port), end(self.destination, self.destination_port));
        write!(f, "{} {from} → {to}", self.protocol.name())
    }
}

impl Packet {
    /// The first packet of a connection.
    pub(super) fn new(flow: Flow) -> Packet {
        Packet {
            flow,
            answer: false,
            mark: 0,
            hops: 64,
            local: false,
            input: None,
            output: None,
            input_port: None,
            output_port: None,
            hardware: None,
            tracking: Tracking::Unseen,
        }
    }

    /// Whether it is one of IPv4.
    pub(super) fn is_ipv4(&self) -> bool {
        self.flow.is_ipv4()
    }

    /// Its protocol above IP.
    pub(super) fn protocol_number(&self) -> u8 {
        self.flow.protocol.number(self.flow.destination)
    }

    /// Its `EtherType`.
    pub(super) fn ether_type(&self) -> u16 {
        if self.is_ipv4() { 0x0800 } else { 0x86dd }
    }

    /// Its connection, if it is tracked.
    pub(super) fn connection(&self) -> Option<&Connection> {
        match &self.tracking {
            Tracking::Tracked(connection) => Some(connection),
            _ => None,
        }
    }

    /// Its connection, to change it.
    pub(super) fn connection_mut(&mut self) -> Option<&mut Connection> {
        match &mut self.tracking {
            Tracking::Tracked(connection) => Some(connection),
            _ => None,
        }
    }

    /// Its header of Ethernet; None before it was on a link.
    pub(super) fn link_header(&self) -> Option<Vec<u8>> {
        let (from, to) = self.hardware?;
        Some([&to.0[..], &from.0[..], &self.ether_type().to_be_bytes()].concat())
    }

    /// Its header of IP.
    pub(super) fn network_header(&self) -> Vec<u8> {
        let length = u16::try_from(self.transport_header().len()).unwrap_or(u16::MAX);
        let mut header = Vec::with_capacity(40);
        match (self.flow.source, self.flow.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                header.extend([0x45, 0]);
                header.extend((length + 20).to_be_bytes());
                // Not to be fragmented, which is what sockets ask for.
                header.extend([0, 0, 0x40, 0, self.hops, self.protocol_number(), 0, 0]);
                header.extend(source.octets());
                header.extend(destination.octets());
            }
            (source, destination) => {
                header.extend([0x60, 0, 0, 0]);
                header.extend(length.to_be_bytes());
                header.extend([self.protocol_number(), self.hops]);
                header.extend(octets(source));
                header.extend(octets(destination));
            }
        }
        header
    }

    /// All from the header of the transport on.
    pub(super) fn transport_header(&self) -> Vec<u8> {
        let flow = self.flow;
        let mut ports = [flow.source_port.to_be_bytes(), flow.destination_port.to_be_bytes()].concat();
        match flow.protocol {
            Transport::Tcp => {
                let acknowledged = u8::from(self.answer);
                ports.extend([0, 0, 0, 1, 0, 0, 0, acknowledged, 10 << 4, self.tcp_flags(), 0xfa, 0xf0, 0, 0, 0, 0]);
                ports.extend(TCP_OPTIONS);
            }
            Transport::Udp => ports.extend([0, 9, 0, 0, b'?']),
            Transport::Sctp => {
                let chunk = if self.answer { 2 } else { 1 };
                ports.extend([0, 0, 0, 0, 0, 0, 0, 0, chunk, 0, 0, 20]);
                ports.extend([0; 16]);
            }
            Transport::Icmp => {
                ports = vec![self.icmp_type(), 0, 0, 0];
                ports.extend(flow.source_port.to_be_bytes());
                ports.extend([0, 1]);
                ports.extend([0; 56]);
            }
        }
        ports
    }

    /// Flags of TCP.
    pub(super) fn tcp_flags(&self) -> u8 {
        if self.answer { SYN | ACK } else { SYN }
    }

    /// The type of ICMP: an echo request, or its answer.
    pub(super) fn icmp_type(&self) -> u8 {
        match (self.is_ipv4(), self.answer) {
            (true, false) => 8,
            (true, true) => 0,
            (false, false) => 128,
            (false, true) => 129,
        }
    }

    /// Its length, without the header of the link.
    pub(super) fn length(&self) -> usize {
        self.network_header().len() + self.transport_header().len()
    }

    /// Overwrites bytes of the header of IP, as far as a trace looks at them: addresses and hops.
    pub(super) fn write_network(&mut self, offset: usize, bytes: &[u8]) {
        let mut header = self.network_header();
        let Some(range) = header.get_mut(offset..offset.saturating_add(bytes.len())) else { return };
        range.copy_from_slice(bytes);
        if self.is_ipv4() {
            let at = |from: usize| IpAddr::from([header[from], header[from + 1], header[from + 2], header[from + 3]]);
            (self.flow.source, self.flow.destination, self.hops) = (at(12), at(16), header[8]);
        } else {
            let at = |from: usize| header[from..].first_chunk::<16>().map_or(self.flow.source, |b| IpAddr::from(*b));
            (self.flow.source, self.flow.destination, self.hops) = (at(8), at(24), header[7]);
        }
    }

    /// Overwrites bytes of the header of the transport, as far as a trace looks at them: ports.
    pub(super) fn write_transport(&mut self, offset: usize, bytes: &[u8]) {
        let mut header = self.transport_header();
        let Some(range) = header.get_mut(offset..offset.saturating_add(bytes.len())) else { return };
        range.copy_from_slice(bytes);
        if self.flow.protocol.has_ports() {
            self.flow.source_port = u16::from_be_bytes([header[0], header[1]]);
            self.flow.destination_port = u16::from_be_bytes([header[2], header[3]]);
        }
    }
}

/// The bytes of an address.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
