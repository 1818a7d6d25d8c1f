//! Values that rules load: what the kernel knows about a packet (`net/netfilter/nft_meta.c`), its bytes (`nft_payload.c`), its
//! connection (`nft_ct.c`), the routes (`nft_fib.c`).

use std::net::IpAddr;

use super::super::super::nft::{CtKey, Direction, Extension, FibResult, HeaderBase, MetaKey};
use super::super::connection;
use super::super::packet::{Device, Packet, Transport, octets};
use super::{Hooked, Surroundings};

/// A value that a rule loads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Loaded {
    /// These bytes.
    Value(Vec<u8>),
    /// There is none, which ends the rule.
    Nothing,
    /// There is one of so many bytes, but who knows which.
    Unknown(usize, &'static str),
}

impl Loaded {
    fn number(number: u32) -> Loaded {
        Loaded::Value(number.to_ne_bytes().to_vec())
    }

    fn byte(byte: u8) -> Loaded {
        Loaded::Value(vec![byte])
    }

    fn name(name: &str) -> Loaded {
        let mut bytes = name.as_bytes().to_vec();
        bytes.resize(16, 0);
        Loaded::Value(bytes)
    }

    fn or_nothing(value: Option<Loaded>) -> Loaded {
        value.unwrap_or(Loaded::Nothing)
    }
}

/// What `meta` loads. Without an interface, its index is 0 and its name empty, but it has no type and no group.
pub(super) fn meta(key: MetaKey, packet: &Packet, hooked: &Hooked<'_>) -> Loaded {
    let (input, output) = (packet.input.as_ref(), packet.output.as_ref());
    let index = |device: Option<&Device>| Loaded::number(device.map_or(0, |device| device.index));
    let name = |device: Option<&Device>| Loaded::name(device.map_or("", |device| &device.name));
    let kind = |device: Option<&Device>| {
        Loaded::or_nothing(device.filter(|device| !device.kind.is_empty()).map(|device| Loaded::name(&device.kind)))
    };
    let hardware = |device: Option<&Device>| {
        Loaded::or_nothing(device.map(|device| Loaded::Value(device.hardware.to_ne_bytes().to_vec())))
    };
    let group = |device: Option<&Device>| Loaded::or_nothing(device.map(|device| Loaded::number(device.group)));
    // Whose socket it is: what is not sent by one of this namespace has none. Groups of `net_cls` have the number 0 unless
    // somebody gave them another.
    let of_socket = || if packet.local { Loaded::number(0) } else { Loaded::Nothing };
    match key {
        MetaKey::Length => Loaded::number(u32::try_from(packet.length()).unwrap_or(u32::MAX)),
        MetaKey::Protocol => Loaded::Value(packet.ether_type().to_be_bytes().to_vec()),
        MetaKey::Mark => Loaded::number(packet.mark),
        MetaKey::Priority | MetaKey::SecMark | MetaKey::RealmClassId | MetaKey::Sdif => Loaded::number(0),
        MetaKey::Iif => index(input),
        MetaKey::Oif => index(output),
        MetaKey::IifName => name(input),
        MetaKey::OifName => name(output),
        MetaKey::SdifName => Loaded::name(""),
        MetaKey::IifType => hardware(input),
        MetaKey::OifType => hardware(output),
        MetaKey::IifKind => kind(input),
        MetaKey::OifKind => kind(output),
        MetaKey::IifGroup => group(input),
        MetaKey::OifGroup => group(output),
        MetaKey::SkUid | MetaKey::SkGid | MetaKey::Cgroup => of_socket(),
        MetaKey::NfProto => Loaded::byte(hooked.family_number(packet.is_ipv4())),
        MetaKey::L4Proto => Loaded::byte(packet.protocol_number()),
        MetaKey::BridgeIifName => bridge_name(hooked.input_bridge),
        MetaKey::BridgeOifName => bridge_name(hooked.output_bridge),
        MetaKey::PacketType | MetaKey::SecPath | MetaKey::Trace => Loaded::byte(0),
        MetaKey::Random | MetaKey::Cpu => Loaded::Unknown(4, "it depends on chance"),
        MetaKey::Time => Loaded::Unknown(8, "it depends on the time"),
        MetaKey::Hour => Loaded::Unknown(4, "it depends on the time"),
        MetaKey::Day => Loaded::Unknown(1, "it depends on the time"),
        _ => Loaded::Unknown(16, "it depends on what is not known here of a packet"),
    }
}

fn bridge_name(name: Option<&str>) -> Loaded {
    Loaded::or_nothing(name.map(Loaded::name))
}

/// What `payload` loads.
pub(super) fn payload(base: HeaderBase, offset: u32, length: u32, packet: &Packet) -> Loaded {
    let header = match base {
        HeaderBase::Link => match packet.link_header() {
            Some(header) => header,
            None => return Loaded::Nothing,
        },
        HeaderBase::Network => {
            let mut all = packet.network_header();
            all.extend(packet.transport_header());
            all
        }
        HeaderBase::Transport => packet.transport_header(),
        HeaderBase::Inner => packet.transport_header().split_off(inner_offset(packet)),
        HeaderBase::Other(_) => return Loaded::Unknown(bytes(length), "it looks at a header that is not known here"),
    };
    Loaded::or_nothing(part(&header, offset, length).map(Loaded::Value))
}

fn inner_offset(packet: &Packet) -> usize {
    match packet.flow.protocol {
        Transport::Tcp => packet.transport_header().len(),
        Transport::Udp | Transport::Icmp => 8,
        Transport::Sctp => 12,
    }
}

fn part(header: &[u8], offset: u32, length: u32) -> Option<Vec<u8>> {
    let (offset, length) = (bytes(offset), bytes(length));
    header.get(offset..offset.checked_add(length)?).map(<[u8]>::to_vec)
}

fn bytes(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// What `exthdr` loads: options of TCP are there; headers of IPv6 and options of IPv4 are not.
pub(super) fn extension(
    extension: Extension,
    kind: u8,
    offset: u32,
    length: u32,
    asks_whether: bool,
    packet: &Packet,
) -> Loaded {
    let found = match extension {
        Extension::TcpOption if packet.flow.protocol == Transport::Tcp => tcp_option(&packet.transport_header(), kind),
        Extension::Sctp | Extension::Dccp | Extension::Other(_) => {
            return Loaded::Unknown(bytes(length).max(1), "it looks at a header that is not known here");
        }
        _ => None,
    };
    match found {
        found if asks_whether => Loaded::byte(u8::from(found.is_some())),
        Some(option) => Loaded::or_nothing(part(&option, offset, length).map(Loaded::Value)),
        None => Loaded::Nothing,
    }
}

fn tcp_option(header: &[u8], wanted: u8) -> Option<Vec<u8>> {
    let mut rest = header.get(20..)?;
    while let [kind, tail @ ..] = rest {
        if *kind == 1 {
            rest = tail;
            continue;
        }
        let length = usize::from(*tail.first()?).max(2);
        if *kind == wanted {
            return rest.get(..length).map(<[u8]>::to_vec);
        }
        rest = rest.get(length..)?;
    }
    None
}

/// What `ct` loads: the state of any packet, all else of those that are tracked.
pub(super) fn connection(key: CtKey, direction: Option<Direction>, packet: &Packet) -> Loaded {
    if key == CtKey::State {
        return Loaded::number(connection::state(packet));
    }
    let Some(connection) = packet.connection() else { return Loaded::Nothing };
    let flow = match direction {
        Some(Direction::Reply) => connection.reply,
        _ => connection.original,
    };
    let address = |address: IpAddr, is_ipv4: bool| {
        if address.is_ipv4() == is_ipv4 { Loaded::Value(octets(address)) } else { Loaded::Nothing }
    };
    match key {
        CtKey::Direction => Loaded::byte(u8::from(connection.is_reply)),
        CtKey::Status => Loaded::number(connection.status()),
        CtKey::Mark => Loaded::number(connection.mark),
        CtKey::SecMark => Loaded::number(0),
        CtKey::Zone => Loaded::Value(connection.zone.to_ne_bytes().to_vec()),
        CtKey::L3Protocol => Loaded::byte(if flow.is_ipv4() { 2 } else { 10 }),
        CtKey::Protocol => Loaded::byte(flow.protocol.number(flow.destination)),
        CtKey::Source => Loaded::Value(octets(flow.source)),
        CtKey::Destination => Loaded::Value(octets(flow.destination)),
        CtKey::SourceIp => address(flow.source, true),
        CtKey::DestinationIp => address(flow.destination, true),
        CtKey::SourceIp6 => address(flow.source, false),
        CtKey::DestinationIp6 => address(flow.destination, false),
        CtKey::SourcePort => Loaded::Value(flow.source_port.to_be_bytes().to_vec()),
        CtKey::DestinationPort => Loaded::Value(flow.destination_port.to_be_bytes().to_vec()),
        // A helper matches connections that it expects, and the labels of a new one are all zero.
        CtKey::Helper => Loaded::Nothing,
        CtKey::Labels => Loaded::Value(vec![0; 16]),
        _ => Loaded::Unknown(8, "it depends on what is not known here of a connection"),
    }
}

/// `NFTA_FIB_F_*`.
mod flag {
    pub(super) const SOURCE: u32 = 1;
    pub(super) const MARK: u32 = 4;
    pub(super) const INPUT: u32 = 8;
    pub(super) const OUTPUT: u32 = 16;
    pub(super) const PRESENT: u32 = 32;
}

/// What `fib` loads.
pub(super) fn fib(
    result: FibResult,
    flags: u32,
    packet: &Packet,
    hooked: &Hooked<'_>,
    around: &dyn Surroundings,
) -> Loaded {
    let address = if flags & flag::SOURCE != 0 { packet.flow.source } else { packet.flow.destination };
    let device = if flags & flag::INPUT != 0 {
        packet.input.as_ref()
    } else if flags & flag::OUTPUT != 0 {
        packet.output.as_ref()
    } else {
        None
    };
    if result == FibResult::Type {
        return Loaded::number(around.address_type(address, device));
    }
    let own_loopback = packet.input.as_ref().filter(|input| input.name == "lo" && hooked.is_first());
    let mark = if flags & flag::MARK != 0 { packet.mark } else { 0 };
    let found = match own_loopback {
        Some(lo) => Some(lo.clone()),
        None => around.way(address, mark).filter(|found| device.is_none_or(|own| own.index == found.index)),
    };
    match result {
        FibResult::Oif | FibResult::OifName if flags & flag::PRESENT != 0 => Loaded::byte(u8::from(found.is_some())),
        FibResult::Oif => Loaded::number(found.map_or(0, |device| device.index)),
        FibResult::OifName => Loaded::name(found.as_ref().map_or("", |device| &device.name)),
        _ => Loaded::Unknown(4, "it asks the routes for what is not known here"),
    }
}
