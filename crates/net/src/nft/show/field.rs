//! What stands where in packets: RFC 791, 8200, 9293, 768, 9260, 792, 4443, and Ethernet.

use super::super::expression::HeaderBase;
use super::super::set::DataType;

/// Protocols of the network layer (`NFPROTO_*`).
pub(super) const IPV4: u8 = 2;
/// See [`IPV4`].
pub(super) const IPV6: u8 = 10;

/// A field of a header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Its header.
    pub(super) header: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// Where it begins, bytes.
    pub(super) offset: u32,
    /// How long it is, bytes.
    pub(super) length: u32,
    /// What it holds.
    pub(super) kind: DataType,
}

type Row = (&'static str, u32, u32, DataType);

const ETHER: [Row; 3] = [
    ("daddr", 0, 6, DataType::ETHER_ADDRESS),
    ("saddr", 6, 6, DataType::ETHER_ADDRESS),
    ("type", 12, 2, DataType::ETHER_TYPE),
];
const IP: [Row; 9] = [
    ("dscp", 1, 1, DataType::DSCP),
    ("length", 2, 2, DataType::INTEGER),
    ("id", 4, 2, DataType::INTEGER),
    ("frag-off", 6, 2, DataType::INTEGER),
    ("ttl", 8, 1, DataType::INTEGER),
    ("protocol", 9, 1, DataType::INET_PROTOCOL),
    ("checksum", 10, 2, DataType::INTEGER),
    ("saddr", 12, 4, DataType::IPV4),
    ("daddr", 16, 4, DataType::IPV4),
];
const IP6: [Row; 5] = [
    ("length", 4, 2, DataType::INTEGER),
    ("nexthdr", 6, 1, DataType::INET_PROTOCOL),
    ("hoplimit", 7, 1, DataType::INTEGER),
    ("saddr", 8, 16, DataType::IPV6),
    ("daddr", 24, 16, DataType::IPV6),
];
const PORTS: [Row; 2] = [("sport", 0, 2, DataType::INET_SERVICE), ("dport", 2, 2, DataType::INET_SERVICE)];
const TCP: [Row; 6] = [
    ("sequence", 4, 4, DataType::INTEGER),
    ("ackseq", 8, 4, DataType::INTEGER),
    ("flags", 13, 1, DataType::TCP_FLAGS),
    ("window", 14, 2, DataType::INTEGER),
    ("checksum", 16, 2, DataType::INTEGER),
    ("urgptr", 18, 2, DataType::INTEGER),
];
const UDP: [Row; 2] = [("length", 4, 2, DataType::INTEGER), ("checksum", 6, 2, DataType::INTEGER)];
const ICMP: [Row; 4] = [
    ("type", 0, 1, DataType::ICMP_TYPE),
    ("code", 1, 1, DataType::ICMP_CODE),
    ("id", 4, 2, DataType::INTEGER),
    ("sequence", 6, 2, DataType::INTEGER),
];
const ICMPV6: [Row; 4] = [
    ("type", 0, 1, DataType::ICMPV6_TYPE),
    ("code", 1, 1, DataType::ICMP_CODE),
    ("id", 4, 2, DataType::INTEGER),
    ("sequence", 6, 2, DataType::INTEGER),
];

/// The field that bytes of a packet are, or begin, given which protocols it is known to be of.
pub(super) fn find(
    base: HeaderBase,
    offset: u32,
    length: u32,
    network: Option<u8>,
    transport: Option<u8>,
) -> Option<Field> {
    let tables: &[(&'static str, &[Row])] = match (base, network, transport) {
        (HeaderBase::Link, ..) => &[("ether", &ETHER)],
        (HeaderBase::Network, Some(IPV4), _) => &[("ip", &IP)],
        (HeaderBase::Network, Some(IPV6), _) => &[("ip6", &IP6)],
        (HeaderBase::Transport, _, Some(1)) => &[("icmp", &ICMP)],
        (HeaderBase::Transport, _, Some(58)) => &[("icmpv6", &ICMPV6)],
        (HeaderBase::Transport, _, Some(6)) => &[("tcp", &PORTS), ("tcp", &TCP)],
        (HeaderBase::Transport, _, Some(17)) => &[("udp", &PORTS), ("udp", &UDP)],
        (HeaderBase::Transport, _, Some(33)) => &[("dccp", &PORTS)],
        (HeaderBase::Transport, _, Some(132)) => &[("sctp", &PORTS)],
        (HeaderBase::Transport, _, Some(136)) => &[("udplite", &PORTS)],
        (HeaderBase::Transport, _, None) => &[("th", &PORTS)],
        _ => &[],
    };
    let rows = tables.iter().flat_map(|(header, rows)| rows.iter().map(move |row| (*header, row)));
    rows.map(|(header, &(name, offset, length, kind))| Field { header, name, offset, length, kind })
        // Only of addresses is the beginning compared alone: it is a subnet then.
        .find(|field| field.offset == offset && (field.length == length || length < field.length && field.is_address()))
}

impl Field {
    /// Whether it is an address of IP.
    pub(super) fn is_address(&self) -> bool {
        matches!(self.kind, DataType::IPV4 | DataType::IPV6)
    }
}
