//! Matches on headers, and on what sockets say: `tcp`, `udp`, `sctp`, `multiport`, `icmp`, `iprange`, `mark`, `length`, `ttl`,
//! `dscp`, `owner`.

use super::super::evaluate::Judgement;
use super::super::packet::{Packet, Transport, octets};
use super::info::Info;

/// Whether a port lies between two, or outside.
fn port(info: Info<'_>, at: usize, own: u16, inverted: bool) -> Option<bool> {
    Some((info.u16(at)?..=info.u16(at + 2)?).contains(&own) != inverted)
}

/// `-m tcp`.
pub(super) fn tcp(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let (option, mask, wanted, inverted) = (info.u8(8)?, info.u8(9)?, info.u8(10)?, info.u8(11)?);
    if packet.flow.protocol != Transport::Tcp {
        return Some(Judgement::No);
    }
    let ports = port(info, 0, packet.flow.source_port, inverted & 1 != 0)?
        && port(info, 4, packet.flow.destination_port, inverted & 2 != 0)?;
    let flags = (packet.tcp_flags() & mask == wanted) != (inverted & 4 != 0);
    // Options 2, 3, 4 and 8 are those of a SYN.
    let options = option == 0 || matches!(option, 2 | 3 | 4 | 8) != (inverted & 8 != 0);
    Some(Judgement::of(ports && flags && options))
}

/// `-m udp`.
pub(super) fn udp(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let inverted = info.u8(8)?;
    let ports = port(info, 0, packet.flow.source_port, inverted & 1 != 0)?
        && port(info, 4, packet.flow.destination_port, inverted & 2 != 0)?;
    Some(Judgement::of(packet.flow.protocol == Transport::Udp && ports))
}

/// `-m sctp`.
pub(super) fn sctp(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    const FLAGS: usize = 8 + 256 + 4 + 4 * 3 + 4;
    let (flags, inverted) = (info.u32(FLAGS)?, info.u32(FLAGS + 4)?);
    if flags & 4 != 0 {
        return Some(Judgement::Unknown("chunks of SCTP are not known on paper".to_owned()));
    }
    let destination = flags & 2 == 0 || port(info, 0, packet.flow.destination_port, inverted & 2 != 0)?;
    let source = flags & 1 == 0 || port(info, 4, packet.flow.source_port, inverted & 1 != 0)?;
    Some(Judgement::of(packet.flow.protocol == Transport::Sctp && source && destination))
}

/// `-m multiport`, revision 1.
pub(super) fn multiport(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    const PORTS: usize = 2;
    const RANGES: usize = PORTS + 2 * 15;
    let (which, count) = (info.u8(0)?, usize::from(info.u8(1)?).min(15));
    let inverted = info.u8(RANGES + 15)? != 0;
    let (source, destination) = (packet.flow.source_port, packet.flow.destination_port);
    let mut found = false;
    let mut at = 0;
    while at < count {
        let low = info.u16(PORTS + 2 * at)?;
        let is_range = info.u8(RANGES + at)? != 0;
        let high = if is_range && at + 1 < count { info.u16(PORTS + 2 * (at + 1))? } else { low };
        let within = |own: u16| (low..=high).contains(&own);
        found |= match which {
            0 => within(source),
            1 => within(destination),
            _ => within(source) || within(destination),
        };
        at += if is_range { 2 } else { 1 };
    }
    Some(Judgement::of(packet.flow.protocol.has_ports() && found != inverted))
}

/// `-m icmp`, and that of IPv6.
pub(super) fn icmp(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let (kind, low, high, inverted) = (info.u8(0)?, info.u8(1)?, info.u8(2)?, info.u8(3)? & 1 != 0);
    // 255 is any type, of IPv4; the code of an echo is 0.
    let any = packet.is_ipv4() && kind == 255;
    let is = any || packet.icmp_type() == kind && (low..=high).contains(&0);
    Some(Judgement::of(packet.flow.protocol == Transport::Icmp && is != inverted))
}

/// `-m iprange`, revision 1.
pub(super) fn iprange(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let flags = info.u8(64)?;
    let within = |at: usize, own: std::net::IpAddr| {
        let (low, high) = (info.address(at, own.is_ipv4())?, info.address(at + 16, own.is_ipv4())?);
        Some(octets(low) <= octets(own) && octets(own) <= octets(high))
    };
    let source = flags & 1 == 0 || within(0, packet.flow.source)? != (flags & 16 != 0);
    let destination = flags & 2 == 0 || within(32, packet.flow.destination)? != (flags & 32 != 0);
    Some(Judgement::of(source && destination))
}

/// `-m mark`.
pub(super) fn mark(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let (mark, bits, inverted) = (info.u32(0)?, info.u32(4)?, info.u8(8)? != 0);
    Some(Judgement::of((packet.mark & bits == mark) != inverted))
}

/// `-m length`.
pub(super) fn length(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let (low, high, inverted) = (info.u16(0)?, info.u16(2)?, info.u8(4)? != 0);
    Some(Judgement::of((usize::from(low)..=usize::from(high)).contains(&packet.length()) != inverted))
}

/// `-m ttl`, `-m hl`.
pub(super) fn hops(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let (mode, wanted) = (info.u8(0)?, info.u8(1)?);
    Some(match mode {
        0 => Judgement::of(packet.hops == wanted),
        1 => Judgement::of(packet.hops != wanted),
        2 => Judgement::of(packet.hops < wanted),
        3 => Judgement::of(packet.hops > wanted),
        _ => return None,
    })
}

/// `-m dscp`: traced packets have none.
pub(super) fn dscp(info: Info<'_>) -> Option<Judgement> {
    let (wanted, inverted) = (info.u8(0)?, info.u8(1)? != 0);
    Some(Judgement::of((wanted == 0) != inverted))
}

/// `-m owner`: what is sent from here is sent by root.
pub(super) fn owner(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    const USER: u8 = 1;
    const GROUP: u8 = 2;
    const SOCKET: u8 = 4;
    let (asked, inverted) = (info.u8(16)?, info.u8(17)?);
    if !packet.local {
        // Without a socket, only that there is to be none matches.
        return Some(Judgement::of(asked & inverted == asked));
    }
    let root_in = |low: usize| Some(info.u32(low)? == 0);
    let holds = |option: u8, is: bool| asked & option == 0 || is != (inverted & option != 0);
    Some(Judgement::of(holds(USER, root_in(0)?) && holds(GROUP, root_in(8)?) && holds(SOCKET, true)))
}
