//! Connections, as connection tracking knows them (`net/netfilter/nf_conntrack_core.c`, `nf_nat_core.c`): how the first packet
//! goes, and how the answer comes. Translating addresses is changing the second, and then every packet so that it fits.

use super::packet::{Flow, Packet, Tracking};

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    /// The first packet, as it came.
    pub original: Flow,
    /// The answer to it, as it is expected.
    pub reply: Flow,
    /// Whether this packet goes the way of the answer.
    pub is_reply: bool,
    /// Its mark.
    pub mark: u32,
    /// Its zone.
    pub zone: u16,
    /// Whether the source was settled: translated, or left as it is.
    pub source_settled: bool,
    /// Whether the destination was settled.
    pub destination_settled: bool,
}

/// Which end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// That of the client.
    Source,
    /// That of the server.
    Destination,
}

/// State bits of `ct state` (`NF_CT_STATE_BIT`).
pub(super) const INVALID: u32 = 1;
/// An answer has come.
pub(super) const ESTABLISHED: u32 = 2;
/// Nothing but this packet has come.
pub(super) const NEW: u32 = 8;
/// Nobody is to track it.
pub(super) const UNTRACKED: u32 = 64;

/// `IPS_SEEN_REPLY`.
const SEEN_REPLY: u32 = 1 << 1;
/// `IPS_CONFIRMED`.
const CONFIRMED: u32 = 1 << 3;
/// `IPS_SRC_NAT`.
pub(super) const SOURCE_NAT: u32 = 1 << 4;
/// `IPS_DST_NAT`.
pub(super) const DESTINATION_NAT: u32 = 1 << 5;
/// `IPS_SRC_NAT_DONE`.
const SOURCE_DONE: u32 = 1 << 7;
/// `IPS_DST_NAT_DONE`.
const DESTINATION_DONE: u32 = 1 << 8;

impl Connection {
    /// That of a packet of which there is none yet.
    pub(super) fn new(first: Flow) -> Connection {
        Connection {
            original: first,
            reply: first.reversed(),
            is_reply: false,
            mark: 0,
            zone: 0,
            source_settled: false,
            destination_settled: false,
        }
    }

    /// Whether this end is translated.
    pub(super) fn translates(&self, end: End) -> bool {
        match end {
            End::Source => {
                (self.reply.destination, self.reply.destination_port)
                    != (self.original.source, self.original.source_port)
            }
            End::Destination => {
                (self.reply.source, self.reply.source_port)
                    != (self.original.destination, self.original.destination_port)
            }
        }
    }

    /// Its status bits (`IPS_*`).
    pub(super) fn status(&self) -> u32 {
        let bit = |set: bool, bit: u32| if set { bit } else { 0 };
        bit(self.is_reply, SEEN_REPLY | CONFIRMED)
            | bit(self.translates(End::Source), SOURCE_NAT)
            | bit(self.translates(End::Destination), DESTINATION_NAT)
            | bit(self.source_settled, SOURCE_DONE)
            | bit(self.destination_settled, DESTINATION_DONE)
    }

    /// Whether this end was settled already.
    pub(super) fn is_settled(&self, end: End) -> bool {
        match end {
            End::Source => self.source_settled,
            End::Destination => self.destination_settled,
        }
    }

    /// Settles an end as it is.
    pub(super) fn settle(&mut self, end: End) {
        match end {
            End::Source => self.source_settled = true,
            End::Destination => self.destination_settled = true,
        }
    }

    /// Changes a packet's addresses to those that it has behind this point, where `end` is translated.
    pub(super) fn translate(&self, end: End, flow: &mut Flow) {
        let changed = match (end, self.is_reply) {
            (End::Source, false) | (End::Destination, true) => self.translates(End::Source),
            (End::Source, true) | (End::Destination, false) => self.translates(End::Destination),
        };
        if !changed {
            return;
        }
        let target = if self.is_reply { self.original.reversed() } else { self.reply.reversed() };
        match end {
            End::Source => (flow.source, flow.source_port) = (target.source, target.source_port),
            End::Destination => {
                (flow.destination, flow.destination_port) = (target.destination, target.destination_port);
            }
        }
    }
}

/// The state bits of a packet.
pub(super) fn state(packet: &Packet) -> u32 {
    match &packet.tracking {
        Tracking::Unseen => INVALID,
        Tracking::Untracked => UNTRACKED,
        Tracking::Tracked(connection) if connection.is_reply => ESTABLISHED,
        Tracking::Tracked(_) => NEW,
    }
}

/// The connections of one network namespace that this trace has made.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Vec<Connection>);

impl Connections {
    /// The connection of a packet: one that is known, or a new one.
    pub(super) fn find(&self, flow: Flow) -> Connection {
        let known = |connection: &&Connection| connection.original == flow || connection.reply == flow;
        match self.0.iter().find(known) {
            Some(known) => Connection { is_reply: known.reply == flow && known.original != flow, ..known.clone() },
            None => Connection::new(flow),
        }
    }

    /// Notes a connection, whose first packet came through.
    pub(super) fn confirm(&mut self, connection: &Connection) {
        match self.0.iter_mut().find(|known| known.original == connection.original) {
            Some(known) => *known = connection.clone(),
            None => self.0.push(connection.clone()),
        }
    }
}
