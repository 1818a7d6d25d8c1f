//! Asking the kernel which way a packet goes (`RTM_GETROUTE`), with all that it goes by: the interface that it came in by,
//! its mark, its ports.

use std::net::IpAddr;

use rustix::io::Errno;

use super::super::packet::{Flow, Transport};
use crate::link::{Route, RouteKind};
use crate::netlink::{Answer, Attribute, Batch, Socket};

const NEWROUTE: u16 = 24;
const GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_IIF: u16 = 3;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_MARK: u16 = 16;
const RTA_VIA: u16 = 18;
const RTA_IP_PROTO: u16 = 27;
const RTA_SPORT: u16 = 28;
const RTA_DPORT: u16 = 29;

/// What is asked.
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
    /// What it carries, with both ports; rules of routes may look at that.
    pub carries: Option<(Transport, u16, u16)>,
}

impl Way {
    /// To somewhere, without anything settled.
    pub fn to(destination: IpAddr) -> Way {
        Way { destination, source: None, arriving: None, through: None, mark: 0, carries: None }
    }

    /// That of a packet.
    pub fn of(flow: Flow, arriving: Option<u32>, mark: u32) -> Way {
        let carries = Some((flow.protocol, flow.source_port, flow.destination_port));
        Way { destination: flow.destination, source: Some(flow.source), arriving, through: None, mark, carries }
    }
}

/// Asks.
pub(super) fn ask(socket: &mut Socket, way: Way) -> Result<Route, Errno> {
    let bits = if way.destination.is_ipv4() { 32 } else { 128 };
    let family = if way.destination.is_ipv4() { 2 } else { 10 };
    let header = [family, bits, way.source.map_or(0, |_| bits), 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut batch = Batch::default();
    let mut request = batch.ask(GETROUTE, &header, "the way of a packet");
    request.address(RTA_DST, way.destination);
    if let Some(source) = way.source {
        request.address(RTA_SRC, source);
    }
    for (kind, number) in [(RTA_IIF, way.arriving), (RTA_OIF, way.through), (RTA_MARK, Some(way.mark))] {
        if let Some(number) = number.filter(|number| *number != 0) {
            request.u32(kind, number);
        }
    }
    // The kernel takes no other protocols here.
    if let Some((protocol @ (Transport::Tcp | Transport::Udp), from, to)) = way.carries {
        request.u8(RTA_IP_PROTO, protocol.number(way.destination));
        request.bytes(RTA_SPORT, &from.to_be_bytes()).bytes(RTA_DPORT, &to.to_be_bytes());
    }
    let mut route = None;
    let asked = socket.exchange(batch, |_, answer| route = read(answer));
    match (asked, route) {
        (Ok(()), Some(route)) => Ok(route),
        (Ok(()), None) => Err(Errno::PROTO),
        (Err(error), _) => Err(error.errno().unwrap_or(Errno::PROTO)),
    }
}

fn read(answer: Answer<'_>) -> Option<Route> {
    let (header, attributes) = answer.split::<12>().filter(|_| answer.kind == NEWROUTE)?;
    let kind = match header[7] {
        1 => RouteKind::Unicast,
        2 => RouteKind::Local,
        3 => RouteKind::Broadcast,
        5 => RouteKind::Multicast,
        6 => RouteKind::Blackhole,
        7 => RouteKind::Unreachable,
        8 => RouteKind::Prohibit,
        _ => RouteKind::Other,
    };
    let find = |kind| attributes.get(kind);
    let via = find(RTA_VIA)
        .and_then(|via| via.bytes.get(2..).map(|bytes| Attribute { bytes, ..via }))
        .and_then(Attribute::address);
    Some(Route {
        kind,
        link: find(RTA_OIF).and_then(Attribute::u32),
        gateway: find(RTA_GATEWAY).and_then(Attribute::address).or(via),
        source: find(RTA_PREFSRC).and_then(Attribute::address),
    })
}
