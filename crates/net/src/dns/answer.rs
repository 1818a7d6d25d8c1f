//! What is answered to a question about containers. Pure, but for reading registers that have changed.

use std::net::IpAddr;

use super::message::{Code, Query, Reply, kind};
use super::zone::{Known, Zone};

/// Answers from the names of containers.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) zone: Zone,
    /// How many questions were answered with addresses: where the next answer begins, so that those who take the first
    /// address come to each in turn.
    turn: usize,
    /// Addresses of the answer that is being written.
    found: Vec<IpAddr>,
}

impl Answers {
    pub(super) fn new(zone: Zone) -> Answers {
        Answers { zone, turn: 0, found: Vec::new() }
    }

    /// Writes the answer, of at most `limit` bytes, in place of what is in the buffer; false if others have to be asked.
    pub(super) fn write(&mut self, query: &Query<'_>, limit: usize, buffer: &mut Vec<u8>) -> bool {
        if query.is_foreign_version() {
            Reply::new(query, Code::BadVers, limit, buffer).finish();
            return true;
        }
        if !query.is_internet() {
            return false;
        }
        self.zone.refresh();
        if query.kind == kind::PTR {
            return self.write_name(query, limit, buffer);
        }
        let wanted = match query.kind {
            kind::A => IpAddr::is_ipv4,
            kind::AAAA => IpAddr::is_ipv6,
            _ => |_: &IpAddr| false,
        };
        self.found.clear();
        if self.zone.addresses(&query.name, wanted, &mut self.found) == Known::Unknown {
            return false;
        }
        // A name that somebody has is never asked outside, whatever kind of record is wanted of it.
        let mut reply = Reply::new(query, Code::NoError, limit, buffer);
        if !self.found.is_empty() {
            let first = self.turn % self.found.len();
            self.turn = self.turn.wrapping_add(1);
            let (after, before) = self.found.split_at(first);
            // What has no room is left out; the reply says so.
            before.iter().chain(after).all(|address| reply.address(*address));
        }
        reply.finish();
        true
    }

    fn write_name(&self, query: &Query<'_>, limit: usize, buffer: &mut Vec<u8>) -> bool {
        let Some(name) = query.name.reverse().and_then(|address| self.zone.name_of(address)) else { return false };
        let mut reply = Reply::new(query, Code::NoError, limit, buffer);
        reply.pointer(&name);
        reply.finish();
        true
    }
}
