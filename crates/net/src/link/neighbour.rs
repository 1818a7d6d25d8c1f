//! Neighbours of links, and ports behind which a bridge knows hardware addresses.

use std::net::IpAddr;

use serde::Serialize;

use super::Links;
use super::numbers::{AF_BRIDGE, GETNEIGH, NDA_DST, NDA_LLADDR, NDA_MASTER, NDA_VLAN, NEWNEIGH};
use crate::address::Mac;
use crate::error::Result;
use crate::netlink::{Answer, Attribute, Attributes, Batch};

/// What is known of a neighbour (`arp(7)`, RFC 4861).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address, if it has answered.
    pub mac: Option<Mac>,
    /// The number of the link.
    pub link: u32,
    /// How sure that is.
    pub state: NeighbourState,
}

/// How sure the kernel is of a neighbour (`NUD_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NeighbourState {
    /// It was asked for and has not answered yet.
    Incomplete,
    /// It has answered lately.
    Reachable,
    /// It answered once.
    Stale,
    /// It is about to be asked.
    Delay,
    /// It is being asked again.
    Probe,
    /// It does not answer.
    Failed,
    /// It needs not be asked.
    Noarp,
    /// Somebody has entered it.
    Permanent,
    /// Nothing is known.
    None,
}

/// A hardware address, and the port of a bridge behind which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Forwarding {
    /// The address.
    pub mac: Mac,
    /// The number of the port, or of the bridge itself.
    pub link: u32,
    /// The VLAN that this is about.
    pub vlan: Option<u16>,
    /// Whether it is the port's own, and was not learned.
    pub permanent: bool,
}

/// `struct ndmsg`, as far as it matters, and its attributes.
struct Entry<'a> {
    link: u32,
    state: u16,
    attributes: Attributes<'a>,
}

impl Links {
    /// Neighbours of all links that have been asked for.
    ///
    /// # Errors
    /// `System`.
    pub fn neighbours(&mut self) -> Result<Vec<Neighbour>> {
        let ask = |batch: &mut Batch| {
            batch.list(GETNEIGH, &[0; 12], "listing neighbours");
        };
        self.socket.collect(ask, |answer| {
            let entry = Entry::read(answer)?;
            let address = entry.find(NDA_DST)?.address()?;
            let mac = entry.find(NDA_LLADDR).and_then(Attribute::mac);
            Some(Neighbour { address, mac, link: entry.link, state: NeighbourState::of(entry.state) })
        })
    }

    /// What a bridge knows, by its number.
    ///
    /// # Errors
    /// `System`.
    pub fn forwarding(&mut self, bridge: u32) -> Result<Vec<Forwarding>> {
        let ask = |batch: &mut Batch| {
            let header = [AF_BRIDGE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            batch.list(GETNEIGH, &header, "listing what a bridge knows").u32(NDA_MASTER, bridge);
        };
        self.socket.collect(ask, |answer| {
            let entry = Entry::read(answer)?;
            // Those of the bridge itself have no master.
            let master = entry.find(NDA_MASTER).and_then(Attribute::u32).unwrap_or(entry.link);
            let vlan = entry.find(NDA_VLAN).and_then(|vlan| vlan.bytes.try_into().ok());
            (master == bridge).then_some(Forwarding {
                mac: entry.find(NDA_LLADDR)?.mac()?,
                link: entry.link,
                vlan: vlan.map(u16::from_ne_bytes),
                permanent: NeighbourState::of(entry.state) == NeighbourState::Permanent,
            })
        })
    }
}

impl<'a> Entry<'a> {
    fn read(answer: Answer<'a>) -> Option<Entry<'a>> {
        let (header, attributes) = answer.split::<12>().filter(|_| answer.kind == NEWNEIGH)?;
        let [_, _, _, _, i0, i1, i2, i3, s0, s1, ..] = header;
        let link = u32::from_ne_bytes([i0, i1, i2, i3]);
        Some(Entry { link, state: u16::from_ne_bytes([s0, s1]), attributes })
    }

    fn find(&self, kind: u16) -> Option<Attribute<'a>> {
        self.attributes.get(kind)
    }
}

impl NeighbourState {
    fn of(bits: u16) -> NeighbourState {
        match bits {
            0x01 => NeighbourState::Incomplete,
            0x02 => NeighbourState::Reachable,
            0x04 => NeighbourState::Stale,
            0x08 => NeighbourState::Delay,
            0x10 => NeighbourState::Probe,
            0x20 => NeighbourState::Failed,
            0x40 => NeighbourState::Noarp,
            0x80.. => NeighbourState::Permanent,
            _ => NeighbourState::None,
        }
    }
}
