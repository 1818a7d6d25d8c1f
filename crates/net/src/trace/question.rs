//! What is asked of a trace, and the answer: the way there, and the way back.

use std::net::IpAddr;

use super::packet::{Flow, Packet, Transport};
use super::space::{Places, Space};
use super::step::{End, Path, Trace, Verdict};
use super::walk::{Walk, Walked};
use crate::address::Mac;
use crate::error::{Error, ErrorKind, Result};
use crate::link::{Link, Way};

/// Version of the shape of traces.
const VERSION: u32 = 1;
/// The first port of those that sockets get if they do not ask for one, unless the host says otherwise.
const CLIENT_PORT: u16 = 40000;
/// Who sends from outside, if nobody says: addresses for documentation (RFC 5737, RFC 3849).
const OUTSIDE_IPV4: [u8; 4] = [203, 0, 113, 77];
const OUTSIDE_IPV6: [u16; 8] = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 77];

/// Who sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// A namespace, by its number in [`Places`]: 0 is the host. It sends from this address, or from the one that it would take.
    Namespace(usize, Option<IpAddr>),
    /// Another machine, with this address or some address, whose packets come in by this link of the host, or by the one that
    /// leads there.
    Outside(Option<IpAddr>, Option<String>),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who sends.
    pub from: Sender,
    /// Where to.
    pub to: IpAddr,
    /// What.
    pub protocol: Transport,
    /// To which port; of no meaning for ICMP.
    pub port: u16,
    /// From which port; any otherwise.
    pub source_port: Option<u16>,
}

/// Follows a packet, and the answer to it.
///
/// # Errors
/// `Invalid` for a question that has no answer: addresses of two families, a link that is not there. `System` if the host
/// cannot be read.
pub fn trace(places: &Places, question: &Question) -> Result<Trace> {
    let mut walk = Walk::new(places);
    let (flow, from, arriving) = start(places, question)?;
    let mut packet = Packet::new(flow);
    let walked = match (arriving, &question.from) {
        (Some((link, gateway)), _) => {
            packet.hardware = gateway;
            walk.start_at_link(0, link, packet)
        }
        (None, Sender::Namespace(number, _)) => walk.start_at_socket(*number, packet),
        (None, Sender::Outside(..)) => return Err(Error::invalid("a packet from outside needs a link to come in by")),
    };
    let answer = answer(&mut walk, places, &walked);
    let notes = notes(places, &walked);
    let verdict = verdict(&walked.path.end, answer.as_ref());
    Ok(Trace {
        version: VERSION,
        packet: flow,
        from,
        request: walked.path,
        answer,
        verdict,
        certain: !walk.is_uncertain(),
        notes,
    })
}

type Arriving = Option<(u32, Option<(Mac, Mac)>)>;

/// The packet as it is sent, who sends it, and by which link of the host it comes in.
fn start(places: &Places, question: &Question) -> Result<(Flow, String, Arriving)> {
    let flow = |source: IpAddr| {
        let port = question.source_port.unwrap_or(CLIENT_PORT);
        let destination_port = if question.protocol.has_ports() { question.port } else { port };
        Flow { protocol: question.protocol, source, source_port: port, destination: question.to, destination_port }
    };
    match &question.from {
        Sender::Namespace(number, source) => {
            let space = places.space(*number)?;
            let source =
                source.or_else(|| space.source_for(question.to)).unwrap_or_else(|| any_source(space, question.to));
            same_family(source, question.to)?;
            Ok((flow(source), space.place.name.clone(), None))
        }
        Sender::Outside(source, link) => {
            let host = places.space(0)?;
            let source = source.unwrap_or_else(|| outside(question.to));
            same_family(source, question.to)?;
            let index = match link {
                Some(name) => host.link_named(name).map(|link| link.index),
                None => host.route(Way::to(source)).ok().and_then(|route| route.link),
            };
            let index = index.ok_or_else(|| {
                let what =
                    link.as_ref().map_or_else(|| format!("a route to {source}"), |name| format!("a link {name}"));
                Error::new(ErrorKind::NotFound, format!("the host has not {what}"))
                    .with_hint("`--from` takes the address of a machine that the host can reach")
            })?;
            let own = host.link(index).and_then(|link| link.mac);
            // Any sender will do, but it must not be one of this host's.
            let hardware = own.map(|own| (Mac([2, 0, 0, 0, 0, 1]), own));
            Ok((flow(source), "outside".to_owned(), Some((index, hardware))))
        }
    }
}

fn same_family(source: IpAddr, destination: IpAddr) -> Result<()> {
    if source.is_ipv4() == destination.is_ipv4() {
        return Ok(());
    }
    Err(Error::invalid(format!("{source} cannot send to {destination}: they are of two families")))
}

fn outside(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { IpAddr::from(OUTSIDE_IPV4) } else { IpAddr::from(OUTSIDE_IPV6) }
}

/// Some address of a namespace that has no way to a destination: the trace says so at its first step.
fn any_source(space: &Space, like: IpAddr) -> IpAddr {
    let own = space.links.iter().flat_map(|link| &link.addresses).map(|own| own.ip);
    own.filter(|own| own.is_ipv4() == like.is_ipv4()).find(|own| !own.is_loopback()).unwrap_or_else(|| outside(like))
}

/// The way of the answer, from where the packet arrived.
fn answer(walk: &mut Walk<'_>, places: &Places, walked: &Walked) -> Option<Path> {
    let packet = Packet { answer: true, ..Packet::new(walked.packet.flow.reversed()) };
    match &walked.path.end {
        End::Delivered { .. } | End::Refused { .. } => Some(walk.start_at_socket(walked.at, packet).path),
        End::Left { link, .. } => {
            let space = places.space(walked.at).ok()?;
            let link = space.link_named(link)?;
            if let Some(end) = lost_outside(space, link, walked.packet.flow.source) {
                return Some(Path { steps: Vec::new(), end });
            }
            let hardware = walked.packet.hardware.map(|(from, to)| (to, from));
            let hardware = hardware.or_else(|| link.mac.map(|own| (Mac([2, 0, 0, 0, 0, 1]), own)));
            Some(walk.start_at_link(walked.at, link.index, Packet { hardware, ..packet }).path)
        }
        _ => None,
    }
}

/// Why no answer of another machine finds its way back: it looks for an address on the link that nobody there has.
fn lost_outside(space: &Space, link: &Link, source: IpAddr) -> Option<End> {
    let on_link = link.addresses.iter().any(|own| own.subnet().is_ok_and(|subnet| subnet.contains(source)));
    if !on_link || space.has(source) {
        return None;
    }
    let name = &space.place.name;
    Some(End::Unreachable {
        namespace: name.clone(),
        reason: format!("nobody on {} answers for {source}, which the packet left with", link.name),
        hint: Some(format!("a rule translates to an address that {name} does not have")),
    })
}

fn verdict(request: &End, answer: Option<&Path>) -> Verdict {
    match (request.verdict(), answer) {
        (Verdict::Works | Verdict::Refused, Some(answer)) if !answer.end.arrives() => Verdict::Unanswered,
        (verdict, _) => verdict,
    }
}

/// What is worth knowing besides.
fn notes(places: &Places, walked: &Walked) -> Vec<String> {
    let Ok(host) = places.space(0) else { return Vec::new() };
    let mut notes = Vec::new();
    let source = walked.packet.flow.source;
    if matches!(walked.path.end, End::Left { .. }) && !host.has(source) {
        notes.push(format!(
            "it leaves with the source {source}, which is not the host's: the answer comes only if machines outside have a route back"
        ));
    }
    if !host.settings.legacy_tables.is_empty() {
        notes.push(format!(
            "rules of the older iptables are in use on this host (tables {}) and are not shown: `iptables-legacy-save` shows them",
            host.settings.legacy_tables.join(", ")
        ));
    }
    notes
}
