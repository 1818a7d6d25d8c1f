//! Expressions of rules, phrase by phrase, as `nft(8)` would make them of the same words: so it shows them in these words.

use std::net::{IpAddr, Ipv4Addr};

use crate::address::Subnet;
use crate::nft::{
    Bitwise, CT_STATUS_DNAT, Comparison, CtKey, Expression, FibResult, HeaderBase, MetaKey, NatKind, Register, Verdict,
};

/// `NFTA_FIB_F_DADDR`.
const FIB_DESTINATION: u32 = 0x2;
/// `RTN_LOCAL`.
const ROUTE_LOCAL: u32 = 2;
/// `NF_CT_STATE_BIT(IP_CT_ESTABLISHED)`, `NF_CT_STATE_BIT(IP_CT_RELATED)`.
const ESTABLISHED_RELATED: u32 = 0x2 | 0x4;
/// `NFPROTO_IPV4`, `NFPROTO_IPV6`.
const NFPROTO: [u8; 2] = [2, 10];

/// Which address of a packet.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// `saddr`.
    Source,
    /// `daddr`.
    Destination,
}

/// Phrases, one behind the other.
pub(super) fn phrases<const N: usize>(parts: [Vec<Expression>; N]) -> Vec<Expression> {
    parts.into_iter().flatten().collect()
}

/// `meta nfproto ipv4`, or `ipv6`.
pub(super) fn family(is_ipv4: bool) -> Vec<Expression> {
    let number = if is_ipv4 { NFPROTO[0] } else { NFPROTO[1] };
    vec![
        Expression::Meta { key: MetaKey::NfProto, destination: Register::FIRST },
        compare(Comparison::Equal, vec![number]),
    ]
}

/// `ip saddr 10.0.0.0/8`.
pub(super) fn address_in(end: End, subnet: Subnet) -> Vec<Expression> {
    let mut all = family(subnet.is_ipv4());
    let whole = if subnet.is_ipv4() { 4 } else { 16 };
    let bits = usize::from(subnet.prefix());
    // Whole bytes are loaded alone; any other prefix is cut out by a mask.
    let length = if bits.is_multiple_of(8) { bits / 8 } else { whole };
    if length == 0 {
        return all;
    }
    let destination = Register::FIRST;
    let loaded = u32::try_from(length).expect("an address has 16 bytes at most");
    all.push(Expression::Payload {
        base: HeaderBase::Network,
        offset: address_offset(end, subnet.is_ipv4()),
        length: loaded,
        destination,
    });
    if !bits.is_multiple_of(8) {
        let mask = (0..whole).map(|byte| leading_bits(bits.saturating_sub(byte * 8))).collect();
        let operation = Bitwise::Mask { mask, xor: vec![0; whole] };
        all.push(Expression::Bitwise { source: destination, destination, length: loaded, operation });
    }
    let mut value = octets(subnet.address());
    value.truncate(length);
    all.push(compare(Comparison::Equal, value));
    all
}

/// 127.0.0.0/8.
pub(super) fn loopback() -> Subnet {
    Subnet::new(Ipv4Addr::LOCALHOST.into(), 8).expect("an address of IPv4 has 32 bits")
}

/// A byte with this many ones in front.
fn leading_bits(count: usize) -> u8 {
    if count >= 8 { u8::MAX } else { !(u8::MAX >> count) }
}

/// Where an address stands in the header of IP (RFC 791, RFC 8200).
fn address_offset(end: End, is_ipv4: bool) -> u32 {
    match (end, is_ipv4) {
        (End::Source, true) => 12,
        (End::Destination, true) => 16,
        (End::Source, false) => 8,
        (End::Destination, false) => 24,
    }
}

/// An address as it stands in packets.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// `iifname "phial0"`, `oifname != "phial0"`.
pub(super) fn interface(key: MetaKey, comparison: Comparison, name: &str) -> Vec<Expression> {
    vec![Expression::Meta { key, destination: Register::FIRST }, compare(comparison, interface_name(name))]
}

/// The name of an interface as it stands in registers.
pub(super) fn interface_name(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(16, 0);
    bytes
}

/// `iifname @set`.
pub(super) fn interface_in(key: MetaKey, set: &str) -> Vec<Expression> {
    vec![
        Expression::Meta { key, destination: Register::FIRST },
        Expression::Lookup { set: set.to_owned(), source: Register::FIRST, inverted: false, destination: None },
    ]
}

/// `iifname vmap @map`.
pub(super) fn by_interface(key: MetaKey, map: &str) -> Vec<Expression> {
    vec![
        Expression::Meta { key, destination: Register::FIRST },
        Expression::VerdictMap { map: map.to_owned(), source: Register::FIRST },
    ]
}

/// `fib daddr type local`.
pub(super) fn to_this_host() -> Vec<Expression> {
    vec![
        Expression::Fib { result: FibResult::Type, flags: FIB_DESTINATION, destination: Register::FIRST },
        compare(Comparison::Equal, ROUTE_LOCAL.to_ne_bytes().to_vec()),
    ]
}

/// `ct state established,related`.
pub(super) fn of_known_connections() -> Vec<Expression> {
    any_bit(CtKey::State, ESTABLISHED_RELATED)
}

/// `ct status dnat`.
pub(super) fn translated_destination() -> Vec<Expression> {
    any_bit(CtKey::Status, CT_STATUS_DNAT)
}

fn any_bit(key: CtKey, bits: u32) -> Vec<Expression> {
    let destination = Register::FIRST;
    let operation = Bitwise::Mask { mask: bits.to_ne_bytes().to_vec(), xor: vec![0; 4] };
    vec![
        Expression::Ct { key, direction: None, destination },
        Expression::Bitwise { source: destination, destination, length: 4, operation },
        compare(Comparison::NotEqual, vec![0; 4]),
    ]
}

/// `dnat ip to ip daddr . meta l4proto . th dport map @map`; without the address if the map has it not.
pub(super) fn translate_by(map: &str, is_ipv4: bool, with_address: bool) -> Vec<Expression> {
    let length = if is_ipv4 { 4 } else { 16 };
    let first = Register::FIRST;
    let mut all = family(is_ipv4);
    let mut at = first;
    if with_address {
        let offset = address_offset(End::Destination, is_ipv4);
        all.push(Expression::Payload { base: HeaderBase::Network, offset, length, destination: at });
        at = at.behind(length);
    }
    all.push(Expression::Meta { key: MetaKey::L4Proto, destination: at });
    all.push(Expression::Payload { base: HeaderBase::Transport, offset: 2, length: 2, destination: at.behind(1) });
    all.push(Expression::Lookup { set: map.to_owned(), source: first, inverted: false, destination: Some(first) });
    let (address, port) = (Some(first.into()), Some(first.behind(length).into()));
    let family = if is_ipv4 { NFPROTO[0] } else { NFPROTO[1] };
    all.push(Expression::Nat { kind: NatKind::Destination, family, address, port, flags: NAT_MAPPED });
    all
}

/// `NF_NAT_RANGE_MAP_IPS`, `NF_NAT_RANGE_PROTO_SPECIFIED`: what the kernel adds by itself for an address and a port, so that a rule that
/// is read is the one that was written.
const NAT_MAPPED: u32 = 0x1 | 0x2;

/// `masquerade`.
pub(super) fn masquerade() -> Vec<Expression> {
    vec![Expression::Masquerade { port: None, flags: 0 }]
}

/// `counter drop`.
pub(super) fn count_and_drop() -> Vec<Expression> {
    vec![Expression::Counter { packets: 0, bytes: 0 }, Expression::Verdict(Verdict::Drop)]
}

/// A verdict.
pub(super) fn verdict(verdict: Verdict) -> Vec<Expression> {
    vec![Expression::Verdict(verdict)]
}

fn compare(comparison: Comparison, value: Vec<u8>) -> Expression {
    Expression::Cmp { source: Register::FIRST, comparison, value }
}
