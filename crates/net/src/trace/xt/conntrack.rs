//! Matches on connections: `conntrack`, `state`, `connmark`, `helper`.

use super::super::connection::{self, Connection};
use super::super::evaluate::Judgement;
use super::super::packet::{Packet, Tracking};
use super::info::Info;

/// Bits of states (`XT_CONNTRACK_STATE_*`).
mod bit {
    pub(super) const INVALID: u16 = 1;
    pub(super) const ESTABLISHED: u16 = 1 << 1;
    pub(super) const NEW: u16 = 1 << 3;
    pub(super) const SNAT: u16 = 1 << 6;
    pub(super) const DNAT: u16 = 1 << 7;
    pub(super) const UNTRACKED: u16 = 1 << 8;
}

/// What a rule asks for (`XT_CONNTRACK_*`).
mod asked {
    pub(super) const STATE: u16 = 1 << 0;
    pub(super) const PROTOCOL: u16 = 1 << 1;
    pub(super) const ADDRESSES: [u16; 4] = [1 << 2, 1 << 3, 1 << 4, 1 << 5];
    pub(super) const STATUS: u16 = 1 << 6;
    pub(super) const EXPIRES: u16 = 1 << 7;
    pub(super) const PORTS: [u16; 4] = [1 << 8, 1 << 9, 1 << 10, 1 << 11];
    pub(super) const DIRECTION: u16 = 1 << 12;
}

/// The fields behind the addresses, which differ between revisions.
struct Fields {
    matches: u16,
    inverted: u16,
    states: u16,
    statuses: u16,
    /// Of each end: from, to.
    ports: [(u16, u16); 4],
}

impl Fields {
    fn read(revision: u32, info: Info<'_>) -> Option<Fields> {
        let (matches, inverted) = (info.u16(146)?, info.u16(148)?);
        let (states, statuses) = match revision {
            1 => (u16::from(info.u8(150)?), u16::from(info.u8(151)?)),
            2 | 3 => (info.u16(150)?, info.u16(152)?),
            _ => return None,
        };
        let mut ports = [(0, 0); 4];
        for (at, port) in ports.iter_mut().enumerate() {
            let low = 138 + 2 * at;
            *port = if revision == 3 {
                (info.u16(low)?, info.u16(154 + 2 * at)?)
            } else {
                let one = info.port(low)?;
                (one, one)
            };
        }
        Some(Fields { matches, inverted, states, statuses, ports })
    }

    /// Whether something is as asked for: true if it was not asked for.
    fn holds(&self, asked: u16, is: bool) -> bool {
        self.matches & asked == 0 || is != (self.inverted & asked != 0)
    }
}

/// `-m conntrack` (`net/netfilter/xt_conntrack.c`).
pub(super) fn conntrack(revision: u32, info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let fields = Fields::read(revision, info)?;
    let Some(connection) = packet.connection() else {
        let state = if packet.tracking == Tracking::Untracked { bit::UNTRACKED } else { bit::INVALID };
        let asked_for_state = fields.matches & asked::STATE != 0;
        return Some(Judgement::of(asked_for_state && fields.holds(asked::STATE, fields.states & state != 0)));
    };
    if fields.matches & asked::EXPIRES != 0 {
        return Some(Judgement::Unknown("how long a connection has to live is not known on paper".to_owned()));
    }
    let (original, reply) = (connection.original, connection.reply);
    let addresses = [original.source, original.destination, reply.source, reply.destination];
    let ports = [original.source_port, original.destination_port, reply.source_port, reply.destination_port];
    let protocol = u16::from(packet.protocol_number());
    let status = u16::try_from(connection.status() & 0xffff).unwrap_or(0);
    let mut all = fields.holds(asked::STATE, fields.states & state_bits(connection) != 0)
        && fields.holds(asked::DIRECTION, !connection.is_reply)
        && fields.holds(asked::PROTOCOL, info.u16(136)? == protocol)
        && fields.holds(asked::STATUS, fields.statuses & status != 0);
    for (at, address) in addresses.into_iter().enumerate() {
        all &= fields.holds(asked::ADDRESSES[at], info.covers(32 * at, 32 * at + 16, address)?);
        let (low, high) = fields.ports[at];
        all &= fields.holds(asked::PORTS[at], (low..=high).contains(&ports[at]));
    }
    Some(Judgement::of(all))
}

fn state_bits(connection: &Connection) -> u16 {
    let mut bits = if connection.is_reply { bit::ESTABLISHED } else { bit::NEW };
    if connection.status() & connection::SOURCE_NAT != 0 {
        bits |= bit::SNAT;
    }
    if connection.status() & connection::DESTINATION_NAT != 0 {
        bits |= bit::DNAT;
    }
    bits
}

/// `-m state`.
pub(super) fn state(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let bit = match &packet.tracking {
        Tracking::Unseen => bit::INVALID,
        // Here, this bit is where that of source NAT is elsewhere (`XT_STATE_UNTRACKED`).
        Tracking::Untracked => 1 << 6,
        Tracking::Tracked(connection) if connection.is_reply => bit::ESTABLISHED,
        Tracking::Tracked(_) => bit::NEW,
    };
    Some(Judgement::of(info.u32(0)? & u32::from(bit) != 0))
}

/// `-m connmark`.
pub(super) fn connmark(info: Info<'_>, packet: &Packet) -> Option<Judgement> {
    let (mark, bits, inverted) = (info.u32(0)?, info.u32(4)?, info.u8(8)? != 0);
    let is = |connection: &Connection| (connection.mark & bits == mark) != inverted;
    Some(Judgement::of(packet.connection().is_some_and(is)))
}

/// `-m helper`: it matches connections that another one has announced. The first of all is none of them.
pub(super) fn helper(info: Info<'_>) -> Option<Judgement> {
    Some(Judgement::of(info.u32(0)? != 0))
}
