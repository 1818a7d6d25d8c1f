//! What is sent from here, and what goes out by a link.

use std::net::IpAddr;

use rustix::io::Errno;

use crate::link::{Link, Route, RouteKind};
use crate::nft::Hook;

use super::super::evaluate::Hooked;
use super::super::hook::Layer;
use super::super::packet::{Packet, Tracking};
use super::super::space::{Role, Space};
use super::super::step::{End, Kind};
use super::neighbour::Found;
use super::{Walk, dropped, unreachable, unreachable_with_hint};

impl Walk<'_> {
    /// A socket sends a packet.
    pub(super) fn send(&mut self, number: usize, packet: &mut Packet) -> End {
        self.try_send(number, packet).unwrap_or_else(|end| *end)
    }

    fn try_send(&mut self, number: usize, packet: &mut Packet) -> Result<End, Box<End>> {
        let space = self.space(number)?;
        let sends = if packet.answer { "the answer is sent" } else { "a socket sends" };
        self.step(space, Kind::Socket, format!("{sends}: {}", packet.flow), packet);
        packet.local = true;
        let mut route = self.route_out(space, packet)?;
        packet.output = route.link.map(|link| space.device(link));
        if self.hook(number, Hook::Output, packet)? {
            let again = self.route_out(space, packet)?;
            packet.output = again.link.map(|link| space.device(link));
            route = again;
        }
        self.leave(number, route, packet)
    }

    /// Asks the way of a packet that is made here.
    fn route_out(&mut self, space: &Space, packet: &Packet) -> Result<Route, Box<End>> {
        let route = space.route(packet.flow.way(None, packet.mark)).map_err(|errno| {
            let to = packet.flow.destination;
            match errno {
                Errno::NETUNREACH | Errno::HOSTUNREACH => unreachable_with_hint(
                    space,
                    format!("there is no route to {to}"),
                    "an internal network has no way out; otherwise a default route is missing (`ip route`)",
                ),
                Errno::INVAL => unreachable(space, format!("{} is no address of this namespace", packet.flow.source)),
                errno => unreachable(space, format!("there is no way to {to}: {}", std::io::Error::from(errno))),
            }
        })?;
        refused_by_route(space, &route, packet)?;
        let text = match route.kind {
            RouteKind::Local => format!("{} is this namespace itself", packet.flow.destination),
            _ => way_words(space, &route, packet),
        };
        self.step(space, Kind::Route, text, packet);
        Ok(route)
    }

    /// What has been routed leaves: postrouting, then the link.
    pub(super) fn leave(&mut self, number: usize, route: Route, packet: &mut Packet) -> Result<End, Box<End>> {
        let space = self.space(number)?;
        self.hook(number, Hook::Postrouting, packet)?;
        let Some(link) = route.link.and_then(|link| space.link(link)) else {
            return Err(unreachable(space, "the route has no link"));
        };
        if link.loopback {
            // What goes by `lo` comes back with its connection, and is not translated a second time.
            packet.input = packet.output.take();
            return Ok(self.arrive(number, packet, false));
        }
        let next = route.gateway.unwrap_or(packet.flow.destination);
        self.resolve_and_transmit(number, link, next, packet)
    }

    /// Finds out who the next one is on a link, and gives the packet to the link.
    pub(super) fn resolve_and_transmit(
        &mut self,
        number: usize,
        link: &Link,
        next: IpAddr,
        packet: &mut Packet,
    ) -> Result<End, Box<End>> {
        let space = self.space(number)?;
        if !link.up {
            return Err(unreachable_with_hint(
                space,
                format!("the link {} is down", link.name),
                format!("`ip link set {} up`", link.name),
            ));
        }
        match self.neighbour(number, link, next) {
            Found::Here(mac) => {
                packet.hardware = Some((link.mac.unwrap_or(mac), mac));
                self.transmit(number, link, packet)
            }
            Found::Outside => {
                let text = format!("leaves by {} to {next}", link.name);
                self.egress(number, &link.name, packet)?;
                self.step(space, Kind::Link, text, packet);
                Ok(End::Left { namespace: space.place.name.clone(), link: link.name.clone(), next })
            }
            Found::Nobody(why) => Err(unreachable(space, why)),
        }
    }

    /// A frame goes out by a link.
    pub(super) fn transmit(&mut self, number: usize, link: &Link, packet: &mut Packet) -> Result<End, Box<End>> {
        let space = self.space(number)?;
        self.count_link(space)?;
        if link.kind.as_deref() == Some("bridge") {
            return self.bridge_sends(number, link, packet);
        }
        self.egress(number, &link.name, packet)?;
        let sibling = self.macvlan_target(number, link, packet);
        let Some((peer_number, peer)) = sibling.or_else(|| self.places.peer(number, link)) else {
            self.step(space, Kind::Link, format!("leaves by {}", link.name), packet);
            let next = packet.flow.destination;
            return Ok(End::Left { namespace: space.place.name.clone(), link: link.name.clone(), next });
        };
        let there = self.space(peer_number)?;
        let Some(peer_link) = there.link(peer) else { return Err(unreachable(there, "a link is gone")) };
        let text = if there.place.name == space.place.name {
            format!("goes by {} to {}", link.name, peer_link.name)
        } else {
            format!("goes by {} to {} of {}", link.name, peer_link.name, there.place.name)
        };
        self.step(space, Kind::Link, text, packet);
        if !peer_link.up {
            let hint = format!("`ip link set {} up`", peer_link.name);
            return Err(dropped(there, format!("is dropped: the link {} is down", peer_link.name), Some(hint)));
        }
        scrub(packet, peer_number != number);
        Ok(self.receive(peer_number, peer, packet))
    }

    /// Rules of a device that see what goes out by it.
    pub(super) fn egress(&mut self, number: usize, device: &str, packet: &mut Packet) -> Result<(), Box<End>> {
        self.rules(number, Layer::Device(device), &Hooked::ip(Hook::Egress), packet).map(|_| ())
    }
}

/// What a packet loses on its way by a pair of devices (`skb_scrub_packet`).
fn scrub(packet: &mut Packet, to_another_namespace: bool) {
    packet.tracking = Tracking::Unseen;
    packet.local = false;
    (packet.input, packet.output, packet.input_port, packet.output_port) = (None, None, None, None);
    if to_another_namespace {
        packet.mark = 0;
    }
}

/// Routes that lead nowhere on purpose.
pub(super) fn refused_by_route(space: &Space, route: &Route, packet: &Packet) -> Result<(), Box<End>> {
    let to = packet.flow.destination;
    match route.kind {
        RouteKind::Blackhole => Err(dropped(space, format!("is dropped: the route to {to} is a blackhole"), None)),
        RouteKind::Unreachable => Err(unreachable(space, format!("the route to {to} says unreachable"))),
        RouteKind::Prohibit => Err(unreachable(space, format!("the route to {to} says prohibited"))),
        _ => Ok(()),
    }
}

/// Where a route leads, in words.
pub(super) fn way_words(space: &Space, route: &Route, packet: &Packet) -> String {
    let link = route.link.map_or_else(String::new, |link| space.device(link).name);
    match route.gateway {
        Some(gateway) => format!("to {} by {gateway} on {link}", packet.flow.destination),
        None => format!("to {} on {link}", packet.flow.destination),
    }
}

/// Whether a namespace is the host's, whose other links lead outside.
pub(super) fn is_host(space: &Space) -> bool {
    space.place.role == Role::Host
}
