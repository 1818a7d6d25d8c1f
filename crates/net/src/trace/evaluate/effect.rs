//! What rules do to a packet: marks, and the translation of addresses (`net/netfilter/nf_nat_core.c`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::connection::End;
use super::super::packet::{Packet, Tracking, octets};
use super::super::xt::Target;
use super::Surroundings;

/// What became of a packet by a translation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Translated {
    /// This, in words.
    Done(String),
    /// The same, but which address or port it is depends on what is not known: why.
    Guessed(String, &'static str),
    /// It is dropped, because there is no address to translate it to.
    Impossible(&'static str),
}

/// To what an end of a connection is translated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct To {
    /// The lowest and the highest address; the packet's own if it is not said.
    pub(in super::super) addresses: Option<(IpAddr, IpAddr)>,
    /// The lowest and the highest port.
    pub(in super::super) ports: Option<(u16, u16)>,
    /// How, of [`range`].
    pub(in super::super) flags: u32,
}

/// `NF_NAT_RANGE_*`: how an end is translated.
pub(in super::super) mod range {
    /// Addresses are given.
    pub(in super::super::super) const ADDRESSES: u32 = 1;
    /// Ports are given.
    pub(in super::super::super) const PORTS: u32 = 1 << 1;
    /// The port is a random one, by one way or by another.
    pub(in super::super::super) const RANDOM: u32 = 1 << 2 | 1 << 4;
    /// Ports are counted from one that is given.
    pub(in super::super::super) const SHIFTED: u32 = 1 << 5;
    /// The bits in which both addresses differ are those of the packet.
    pub(in super::super::super) const NETMAP: u32 = 1 << 6;
}

/// Notes in a packet's connection how an end of it is translated. The packet itself changes when all rules have been seen.
pub(super) fn translate(packet: &mut Packet, end: End, to: To) -> Translated {
    let flow = packet.flow;
    let (own, own_port) = match end {
        End::Source => (flow.source, flow.source_port),
        End::Destination => (flow.destination, flow.destination_port),
    };
    let has_ports = flow.protocol.has_ports();
    let Some(connection) = packet.connection_mut() else { return Translated::Done("is not tracked".to_owned()) };
    let mut guess = None;
    let address = match to.addresses {
        None => own,
        Some((low, high)) if to.flags & range::NETMAP != 0 => within_subnet(low, high, own),
        Some((low, high)) => {
            if low != high {
                guess = Some("which of several addresses is taken depends on chance; the lowest is assumed");
            }
            low
        }
    };
    let (port, by_chance) = port_of(own_port, end, to.ports.filter(|_| has_ports), to.flags & range::RANDOM != 0);
    let guess = guess.or(by_chance);
    match end {
        End::Source => (connection.reply.destination, connection.reply.destination_port) = (address, port),
        End::Destination => (connection.reply.source, connection.reply.source_port) = (address, port),
    }
    if !has_ports {
        // The identifier of an echo is the same both ways.
        (connection.reply.source_port, connection.reply.destination_port) = (own_port, own_port);
    }
    connection.settle(end);
    let name = match end {
        End::Source => "source",
        End::Destination => "destination",
    };
    let shown = if !has_ports {
        address.to_string()
    } else if address.is_ipv4() {
        format!("{address}:{port}")
    } else {
        format!("[{address}]:{port}")
    };
    let words = format!("{name} becomes {shown}");
    guess.map_or(Translated::Done(words.clone()), |why| Translated::Guessed(words, why))
}

/// The port that an end gets, and whether that is a guess: its own if that is in the range, and for a server otherwise the
/// first that is free, of which no other connection is assumed to have one.
fn port_of(own: u16, end: End, ports: Option<(u16, u16)>, random: bool) -> (u16, Option<&'static str>) {
    match ports {
        None => (own, None),
        Some((low, high)) if low == high => (low, None),
        Some((low, high)) if !random && (low..=high).contains(&own) => (own, None),
        Some((low, high)) if !random && end == End::Destination => (low.min(high), None),
        Some((low, high)) => {
            (low.min(high), Some("which of several ports is taken depends on chance; the lowest is assumed"))
        }
    }
}

/// The address of a subnet, given by its first and its last, that has the packet's bits where those differ.
fn within_subnet(low: IpAddr, high: IpAddr, own: IpAddr) -> IpAddr {
    let bytes: Vec<u8> = octets(low)
        .into_iter()
        .zip(octets(high))
        .zip(octets(own))
        .map(|((low, high), own)| {
            let mask = !(low ^ high);
            low & mask | own & !mask
        })
        .collect();
    match (bytes.first_chunk::<16>(), bytes.first_chunk::<4>()) {
        (Some(all), _) => IpAddr::from(*all),
        (None, Some(all)) => IpAddr::from(*all),
        (None, None) => low,
    }
}

/// `masquerade`: the source becomes an address of the interface that the packet leaves by.
pub(super) fn masquerade(packet: &mut Packet, to: To, around: &dyn Surroundings) -> Translated {
    let Some(output) = packet.output.clone() else { return Translated::Impossible("it leaves by no interface") };
    match around.masquerade_address(&output, packet.flow.destination) {
        Some(own) => translate(packet, End::Source, To { addresses: Some((own, own)), ..to }),
        None => Translated::Impossible("the interface that it leaves by has no address"),
    }
}

/// `redirect`: the destination becomes this host; of what it sends itself, by its loopback interface.
pub(super) fn redirect(packet: &mut Packet, to: To, around: &dyn Surroundings) -> Translated {
    let own = match &packet.input {
        None if packet.is_ipv4() => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        None => Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        Some(input) => around.first_address(input, packet.flow.destination),
    };
    match own {
        Some(own) => translate(packet, End::Destination, To { addresses: Some((own, own)), ..to }),
        None => Translated::Impossible("the interface that it came in by has no address"),
    }
}

/// Sets the mark of a packet.
pub(super) fn mark(packet: &mut Packet, mark: u32) -> String {
    packet.mark = mark;
    format!("mark becomes {mark:#x}")
}

/// Sets the mark of a packet's connection.
pub(super) fn connection_mark(packet: &mut Packet, mark: u32) -> Option<String> {
    packet.connection_mut()?.mark = mark;
    Some(format!("mark of the connection becomes {mark:#x}"))
}

/// Takes a packet away from connection tracking, if that has not seen it yet.
pub(super) fn notrack(packet: &mut Packet) -> Option<String> {
    (packet.tracking == Tracking::Unseen).then(|| {
        packet.tracking = Tracking::Untracked;
        "is not tracked".to_owned()
    })
}

/// Changes marks as a target of iptables says; None of all other targets.
pub(super) fn marks(target: &Target, packet: &mut Packet) -> Option<String> {
    let of_connection = packet.connection().map_or(0, |connection| connection.mark);
    match *target {
        Target::Mark { clear, turn } => Some(mark(packet, packet.mark & !clear ^ turn)),
        Target::ConnectionMark { clear, turn } => connection_mark(packet, of_connection & !clear ^ turn),
        Target::SaveMark { from, over } => connection_mark(packet, of_connection & !over ^ packet.mark & from),
        Target::RestoreMark { from, over } if packet.connection().is_some() => {
            Some(mark(packet, packet.mark & !over ^ of_connection & from))
        }
        _ => None,
    }
}
