//! Who is at the other end of a link: what ARP and neighbour discovery would find, and behind which port of a bridge.

use std::net::IpAddr;

use crate::address::Mac;
use crate::link::{Link, NeighbourState};

use super::Walk;
use super::output::is_host;

/// How many links are looked behind for one neighbour.
const LOOKS: usize = 4096;

/// Who answers for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Somebody on this machine.
    Here(Mac),
    /// Somebody who is not on this machine, or cannot be seen from here.
    Outside,
    /// Nobody: why.
    Nobody(String),
}

/// A search on one link layer.
struct Search {
    address: IpAddr,
    left: usize,
    /// Whether the layer goes on where nothing can be seen.
    leads_outside: bool,
}

impl Walk<'_> {
    /// Who answers for an address on a link.
    pub(super) fn neighbour(&mut self, number: usize, link: &Link, address: IpAddr) -> Found {
        let Ok(space) = self.places.space(number) else { return Found::Outside };
        let known = space.neighbour(link.index, address);
        if let Some(mac) = known.filter(|known| known.state == NeighbourState::Permanent).and_then(|known| known.mac) {
            return Found::Here(mac);
        }
        let mut search = Search { address, left: LOOKS, leads_outside: false };
        let found = match link.kind.as_deref() {
            Some("bridge") => self.on_bridge(number, link, None, &mut search),
            Some("veth") => self.behind_pair(number, link, &mut search),
            Some("macvlan") => {
                search.leads_outside = true;
                self.on_macvlan(number, link, address)
            }
            _ => None,
        };
        if let Some(mac) = found {
            return Found::Here(mac);
        }
        if search.leads_outside || !matches!(link.kind.as_deref(), Some("bridge" | "veth")) {
            return Found::Outside;
        }
        // Known, but in a namespace that cannot be seen.
        match known.and_then(|known| known.mac) {
            Some(mac) => Found::Here(mac),
            None => Found::Nobody(format!("nobody on {} has the address {address}", link.name)),
        }
    }

    /// Behind a pair of devices: whoever has the other end, or all who are on its bridge.
    fn behind_pair(&self, number: usize, link: &Link, search: &mut Search) -> Option<Mac> {
        search.left = search.left.checked_sub(1)?;
        let Some((there, peer)) = self.places.peer(number, link) else {
            search.leads_outside = true;
            return None;
        };
        let space = self.places.space(there).ok()?;
        let peer = space.link(peer)?;
        if self.leads_away(number, link) {
            search.leads_outside = true;
            return None;
        }
        match peer.master.and_then(|master| space.link(master)) {
            Some(bridge) if bridge.kind.as_deref() == Some("bridge") => {
                self.on_bridge(there, bridge, Some(peer.index), search)
            }
            _ => space.has(search.address).then_some(peer.mac).flatten(),
        }
    }

    /// Whether a link of the host that is no port of a bridge leads to a namespace that is none of the containers': what is
    /// there is another machine, as far as this one is concerned.
    fn leads_away(&self, number: usize, link: &Link) -> bool {
        let Ok(space) = self.places.space(number) else { return true };
        let there = self.places.peer(number, link).and_then(|(there, _)| self.places.space(there).ok());
        is_host(space)
            && link.master.is_none()
            && there.is_none_or(|there| there.place.role == super::super::space::Role::Other)
    }

    /// On a bridge: the namespace that it is in, or somebody behind one of its ports.
    fn on_bridge(&self, number: usize, bridge: &Link, from: Option<u32>, search: &mut Search) -> Option<Mac> {
        let space = self.places.space(number).ok()?;
        if from.is_some() && space.has(search.address) {
            return bridge.mac;
        }
        for port in space.ports(bridge.index).filter(|port| Some(port.index) != from) {
            match port.kind.as_deref() {
                Some("veth") => {
                    if let Some(mac) = self.behind_pair(number, port, search) {
                        return Some(mac);
                    }
                }
                _ => search.leads_outside = true,
            }
        }
        None
    }

    /// The port of a bridge that leads to a hardware address.
    pub(super) fn port_towards(&mut self, number: usize, bridge: &Link, from: Option<&Link>, mac: Mac) -> Option<Link> {
        let space = self.places.space(number).ok()?;
        let mut left = LOOKS;
        let behind = |port: &&Link| self.leads_to(number, port, mac, &mut left);
        let own = from.into_iter();
        let others = space.ports(bridge.index).filter(|port| from.is_none_or(|from| from.index != port.index));
        if let Some(port) = others.chain(own).find(behind) {
            return Some(port.clone());
        }
        let learned = space.port_of(bridge.index, mac).and_then(|port| space.link(port));
        // What is known nowhere goes out by all ports, of which one leads outside.
        let outside = || space.ports(bridge.index).find(|port| port.kind.as_deref() != Some("veth"));
        learned.or_else(outside).cloned()
    }

    fn leads_to(&self, number: usize, port: &Link, mac: Mac, left: &mut usize) -> bool {
        let Some(less) = left.checked_sub(1) else { return false };
        *left = less;
        let Some((there, peer)) = self.places.peer(number, port).filter(|_| port.kind.as_deref() == Some("veth"))
        else {
            return false;
        };
        let Ok(space) = self.places.space(there) else { return false };
        let Some(peer) = space.link(peer) else { return false };
        let bridge =
            peer.master.and_then(|master| space.link(master)).filter(|bridge| bridge.kind.as_deref() == Some("bridge"));
        match bridge {
            None => peer.mac == Some(mac),
            Some(bridge) => {
                bridge.mac == Some(mac)
                    || space
                        .ports(bridge.index)
                        .filter(|other| other.index != peer.index)
                        .any(|other| other.mac == Some(mac) || self.leads_to(there, other, mac, left))
            }
        }
    }

    /// All macvlans on the link that this one is on, with their namespaces.
    pub(super) fn macvlan_siblings(&self, number: usize, link: &Link) -> Vec<(usize, u32, Option<Mac>)> {
        let Some(below) = self.places.peer(number, link) else { return Vec::new() };
        let mut all = Vec::new();
        for other in 0..self.places.count() {
            let Ok(space) = self.places.space(other) else { continue };
            for candidate in space.links.iter().filter(|candidate| candidate.kind.as_deref() == Some("macvlan")) {
                let is_same = (other, candidate.index) != (number, link.index);
                if is_same && self.places.peer(other, candidate) == Some(below) {
                    all.push((other, candidate.index, candidate.mac));
                }
            }
        }
        all
    }

    fn on_macvlan(&self, number: usize, link: &Link, address: IpAddr) -> Option<Mac> {
        let has =
            |(other, _, _): &(usize, u32, Option<Mac>)| self.places.space(*other).is_ok_and(|space| space.has(address));
        self.macvlan_siblings(number, link).into_iter().find(has).and_then(|(.., mac)| mac)
    }
}
