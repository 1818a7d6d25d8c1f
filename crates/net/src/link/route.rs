//! Which way a packet would go, by all that the kernel goes by: the interface that it came in by, its mark, its ports.

use std::net::IpAddr;

use serde::Serialize;

use super::Links;
use super::numbers::{
    GETROUTE, NEWROUTE, ROUTE_BLACKHOLE, ROUTE_BROADCAST, ROUTE_LOCAL, ROUTE_MULTICAST, ROUTE_PROHIBIT, ROUTE_UNICAST,
    ROUTE_UNREACHABLE, RTA_DPORT, RTA_DST, RTA_GATEWAY, RTA_IIF, RTA_IP_PROTO, RTA_MARK, RTA_OIF, RTA_PREFSRC,
    RTA_SPORT, RTA_SRC, RTA_VIA, family,
};
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::{Answer, Attribute, Batch};

/// The way that a packet would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Route {
    /// What becomes of it.
    pub kind: RouteKind,
    /// The number of the link that it leaves by.
    pub link: Option<u32>,
    /// The neighbour that it is given to; its destination itself if there is none.
    pub gateway: Option<IpAddr>,
    /// The address that it would have as its source if nobody says.
    pub source: Option<IpAddr>,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// It is sent on.
    Unicast,
    /// It is for this namespace.
    Local,
    /// It is for all of a link.
    Broadcast,
    /// It is for a group.
    Multicast,
    /// It disappears.
    Blackhole,
    /// It is refused: unreachable.
    Unreachable,
    /// It is refused: prohibited.
    Prohibit,
    /// Something else.
    Other,
}

/// The packet whose way is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Where to.
    pub destination: IpAddr,
    /// Where from, if that is settled.
    pub source: Option<IpAddr>,
    /// The number of the link that it came in by; None of one that is made here.
    pub arriving: Option<u32>,
    /// The number of the link that it must leave by.
    pub through: Option<u32>,
    /// Its mark.
    pub mark: u32,
    /// The number of what it carries, TCP or UDP, with both ports; rules of routes may look at that.
    pub carries: Option<(u8, u16, u16)>,
}

impl Way {
    /// To somewhere, without anything settled.
    pub fn to(destination: IpAddr) -> Way {
        Way { destination, source: None, arriving: None, through: None, mark: 0, carries: None }
    }
}

impl Links {
    /// Which way a packet would go.
    ///
    /// # Errors
    /// `Invalid` for addresses of different families, `System` if there is no way: `ENETUNREACH`, `EHOSTUNREACH`.
    pub fn route(&mut self, way: Way) -> Result<Route> {
        let Way { destination, source, .. } = way;
        if let Some(source) = source.filter(|source| source.is_ipv4() != destination.is_ipv4()) {
            return Err(Error::invalid(format!("{source} and {destination} are not of one family")));
        }
        let bits = if destination.is_ipv4() { 32 } else { 128 };
        let header = [family(destination), bits, source.map_or(0, |_| bits), 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut batch = Batch::default();
        let mut request = batch.ask(GETROUTE, &header, format!("the way to {destination}"));
        request.address(RTA_DST, destination);
        if let Some(source) = source {
            request.address(RTA_SRC, source);
        }
        for (kind, number) in [(RTA_IIF, way.arriving), (RTA_OIF, way.through), (RTA_MARK, Some(way.mark))] {
            if let Some(number) = number.filter(|number| *number != 0) {
                request.u32(kind, number);
            }
        }
        if let Some((protocol, from, to)) = way.carries {
            request.u8(RTA_IP_PROTO, protocol);
            request.bytes(RTA_SPORT, &from.to_be_bytes()).bytes(RTA_DPORT, &to.to_be_bytes());
        }
        let mut route = None;
        self.socket.exchange(batch, |_, answer| route = read_route(answer))?;
        route.ok_or_else(|| Error::new(ErrorKind::System, format!("the way to {destination}: no answer")))
    }
}

fn read_route(answer: Answer<'_>) -> Option<Route> {
    let (header, attributes) = answer.split::<12>().filter(|_| answer.kind == NEWROUTE)?;
    let kind = match header[7] {
        ROUTE_UNICAST => RouteKind::Unicast,
        ROUTE_LOCAL => RouteKind::Local,
        ROUTE_BROADCAST => RouteKind::Broadcast,
        ROUTE_MULTICAST => RouteKind::Multicast,
        ROUTE_BLACKHOLE => RouteKind::Blackhole,
        ROUTE_UNREACHABLE => RouteKind::Unreachable,
        ROUTE_PROHIBIT => RouteKind::Prohibit,
        _ => RouteKind::Other,
    };
    let mut route = Route { kind, link: None, gateway: None, source: None };
    for attribute in attributes {
        match attribute.kind {
            RTA_OIF => route.link = attribute.u32(),
            RTA_GATEWAY => route.gateway = attribute.address(),
            // A gateway of the other family: its family comes first.
            RTA_VIA => {
                route.gateway = attribute.bytes.get(2..).and_then(|bytes| Attribute { bytes, ..attribute }.address());
            }
            RTA_PREFSRC => route.source = attribute.address(),
            _ => {}
        }
    }
    Some(route)
}
