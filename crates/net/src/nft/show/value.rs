//! Values by their types.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::expression::Verdict;
use super::super::set::{Data, DataKind, DataType};

/// Names of protocols above IP, as `/etc/protocols` has them.
const PROTOCOLS: [(u64, &str); 14] = [
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipencap"),
    (6, "tcp"),
    (17, "udp"),
    (33, "dccp"),
    (41, "ipv6"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "ipv6-icmp"),
    (89, "ospf"),
    (132, "sctp"),
    (136, "udplite"),
];
const FAMILIES: [(u64, &str); 2] = [(2, "ipv4"), (10, "ipv6")];
const STATES: [(u64, &str); 5] = [(1, "invalid"), (2, "established"), (4, "related"), (8, "new"), (64, "untracked")];
const STATUS: [(u64, &str); 6] =
    [(1, "expected"), (2, "seen-reply"), (4, "assured"), (8, "confirmed"), (16, "snat"), (32, "dnat")];
const TCP_FLAGS: [(u64, &str); 8] =
    [(1, "fin"), (2, "syn"), (4, "rst"), (8, "psh"), (16, "ack"), (32, "urg"), (64, "ecn"), (128, "cwr")];
const PACKET_TYPES: [(u64, &str); 4] = [(0, "host"), (1, "broadcast"), (2, "multicast"), (3, "other")];
const ADDRESS_TYPES: [(u64, &str); 9] = [
    (0, "unspec"),
    (1, "unicast"),
    (2, "local"),
    (3, "broadcast"),
    (4, "anycast"),
    (5, "multicast"),
    (6, "blackhole"),
    (7, "unreachable"),
    (8, "prohibit"),
];
const CODE_POINTS: [(u64, &str); 21] = [
    (0x00, "cs0"),
    (0x08, "cs1"),
    (0x10, "cs2"),
    (0x18, "cs3"),
    (0x20, "cs4"),
    (0x28, "cs5"),
    (0x30, "cs6"),
    (0x38, "cs7"),
    (0x0a, "af11"),
    (0x0c, "af12"),
    (0x0e, "af13"),
    (0x12, "af21"),
    (0x14, "af22"),
    (0x16, "af23"),
    (0x1a, "af31"),
    (0x1c, "af32"),
    (0x1e, "af33"),
    (0x22, "af41"),
    (0x24, "af42"),
    (0x26, "af43"),
    (0x2e, "ef"),
];
const DIRECTIONS: [(u64, &str); 2] = [(0, "original"), (1, "reply")];
const LINK_TYPES: [(u64, &str); 3] = [(1, "ether"), (512, "ppp"), (772, "loopback")];
const ETHER_TYPES: [(u64, &str); 4] = [(0x0800, "ip"), (0x0806, "arp"), (0x86dd, "ip6"), (0x8100, "vlan")];
const ICMP_TYPES: [(u64, &str); 9] = [
    (0, "echo-reply"),
    (3, "destination-unreachable"),
    (4, "source-quench"),
    (5, "redirect"),
    (8, "echo-request"),
    (9, "router-advertisement"),
    (10, "router-solicitation"),
    (11, "time-exceeded"),
    (12, "parameter-problem"),
];
const ICMPV6_TYPES: [(u64, &str); 13] = [
    (1, "destination-unreachable"),
    (2, "packet-too-big"),
    (3, "time-exceeded"),
    (4, "parameter-problem"),
    (128, "echo-request"),
    (129, "echo-reply"),
    (130, "mld-listener-query"),
    (131, "mld-listener-report"),
    (133, "nd-router-solicit"),
    (134, "nd-router-advert"),
    (135, "nd-neighbor-solicit"),
    (136, "nd-neighbor-advert"),
    (137, "nd-redirect"),
];

/// A value of this type; of a concatenation, its parts.
pub(super) fn show(kind: DataType, bytes: &[u8]) -> String {
    if kind.is_concatenation() {
        return parts(kind, bytes).map(|(kind, bytes)| show(kind, bytes)).collect::<Vec<_>>().join(" . ");
    }
    match kind {
        DataType::IPV4 => octets(bytes).map_or_else(|| hex(bytes), |four| Ipv4Addr::from(four).to_string()),
        DataType::IPV6 => octets(bytes).map_or_else(|| hex(bytes), |all| Ipv6Addr::from(all).to_string()),
        DataType::ETHER_ADDRESS | DataType::LINK_ADDRESS => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
        }
        DataType::INTERFACE_NAME | DataType::STRING => interface(bytes),
        DataType::MARK => number(kind, bytes).map_or_else(|| hex(bytes), |mark| format!("0x{mark:08x}")),
        DataType::INTERFACE_INDEX if number(kind, bytes) == Some(1) => "\"lo\"".to_owned(),
        DataType::CT_STATE | DataType::CT_STATUS | DataType::TCP_FLAGS => flags(kind, bytes),
        _ => match number(kind, bytes) {
            Some(number) => name(kind, number).map_or_else(|| number.to_string(), str::to_owned),
            None => hex(bytes),
        },
    }
}

/// The parts of a concatenated value.
pub(super) fn parts(kind: DataType, bytes: &[u8]) -> impl Iterator<Item = (DataType, &[u8])> {
    let mut rest = bytes;
    kind.parts().into_iter().map(move |part| {
        let width = usize::try_from(part.width()).unwrap_or(0).min(rest.len());
        let value = &rest[..width];
        rest = rest.get(width.next_multiple_of(4)..).unwrap_or_default();
        (part, value)
    })
}

/// Bits by their names, with commas between.
pub(super) fn flags(kind: DataType, bytes: &[u8]) -> String {
    let Some(number) = number(kind, bytes) else { return hex(bytes) };
    let mut rest = number;
    let mut names = Vec::new();
    for (bit, name) in table(kind) {
        if number & bit != 0 {
            names.push((*name).to_owned());
            rest &= !bit;
        }
    }
    if rest != 0 || names.is_empty() {
        names.push(format!("0x{rest:x}"));
    }
    names.join(",")
}

/// Whether values of this type are bits.
pub(super) fn is_flags(kind: DataType) -> bool {
    matches!(kind, DataType::CT_STATE | DataType::CT_STATUS | DataType::TCP_FLAGS)
}

/// A verdict.
pub(super) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Jump(chain) => format!("jump {chain}"),
        Verdict::Goto(chain) => format!("goto {chain}"),
        Verdict::Queue(queue) => format!("queue to {queue}"),
        Verdict::Other(code) => format!("verdict {code}"),
    }
}

/// What an element leads to.
pub(super) fn data(kind: Option<DataKind>, data: &Data) -> String {
    match (data, kind) {
        (Data::Verdict(decision), _) => verdict(decision),
        (Data::Value(bytes), Some(DataKind::Value(kind, _))) => show(kind, bytes),
        (Data::Value(bytes), _) => hex(bytes),
    }
}

/// A name in quotes, and that it goes on anyhow if it does not end.
fn interface(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let name = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
    let rest = if end.is_none() && bytes.len() < 16 { "*" } else { "" };
    format!("\"{name}{rest}\"")
}

/// A value as a number in its order.
pub(super) fn number(kind: DataType, bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 8 {
        return None;
    }
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let is_little = kind.is_host_endian() && cfg!(target_endian = "little");
    Some(if is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
}

fn name(kind: DataType, number: u64) -> Option<&'static str> {
    table(kind).iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

fn table(kind: DataType) -> &'static [(u64, &'static str)] {
    match kind {
        DataType::INET_PROTOCOL => &PROTOCOLS,
        DataType::NFPROTO => &FAMILIES,
        DataType::CT_STATE => &STATES,
        DataType::CT_STATUS => &STATUS,
        DataType::CT_DIRECTION => &DIRECTIONS,
        DataType::TCP_FLAGS => &TCP_FLAGS,
        DataType::PACKET_TYPE => &PACKET_TYPES,
        DataType::DSCP => &CODE_POINTS,
        DataType::FIB_ADDRESS => &ADDRESS_TYPES,
        DataType::INTERFACE_TYPE => &LINK_TYPES,
        DataType::ETHER_TYPE => &ETHER_TYPES,
        DataType::ICMP_TYPE => &ICMP_TYPES,
        DataType::ICMPV6_TYPE => &ICMPV6_TYPES,
        _ => &[],
    }
}

fn octets<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// Bytes whose meaning is not known.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = "0x".to_owned();
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
