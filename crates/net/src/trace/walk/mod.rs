//! The way of a packet, from namespace to namespace: what `net/ipv4/ip_input.c`, `ip_forward.c`, `ip_output.c`, the bridge and
//! the pairs of devices do, with the hooks where they are.

/// Bridges.
mod bridge;
/// What arrives from a link, and what goes on from there.
mod input;
/// Who is at the other end of a link.
mod neighbour;
/// What is sent from here, and what goes out by a link.
mod output;

use std::collections::BTreeMap;

use crate::nft::Hook;

use super::connection::Connections;
use super::evaluate::Hooked;
use super::hook::{self, Layer};
use super::packet::{Flow, Packet};
use super::space::{Places, Space};
use super::step::{End, Kind, Path, Step};

/// How many links a packet goes by at most. Real ones have a count of hops, which bridges do not touch.
const LINKS: usize = 64;

/// A walk: where connections are remembered, so that the answer finds what the first packet has left.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    places: &'a Places,
    known: BTreeMap<usize, Connections>,
    steps: Vec<Step>,
    uncertain: bool,
    links_left: usize,
    /// Where the packet was when its way ended.
    last: usize,
}

/// How a way ends, and where the packet was then.
pub(super) struct Walked {
    pub(super) path: Path,
    /// The number of the namespace.
    pub(super) at: usize,
    /// The packet as it was then.
    pub(super) packet: Packet,
}

impl<'a> Walk<'a> {
    pub(super) fn new(places: &'a Places) -> Walk<'a> {
        Walk { places, known: BTreeMap::new(), steps: Vec::new(), uncertain: false, links_left: LINKS, last: 0 }
    }

    /// Whether something depended on what cannot be told.
    pub(super) fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// A socket of a namespace sends a packet.
    pub(super) fn start_at_socket(&mut self, number: usize, mut packet: Packet) -> Walked {
        let end = self.send(number, &mut packet);
        self.walked(end, packet)
    }

    /// A packet arrives at a link of a namespace, from outside.
    pub(super) fn start_at_link(&mut self, number: usize, link: u32, mut packet: Packet) -> Walked {
        let end = self.receive(number, link, &mut packet);
        self.walked(end, packet)
    }

    fn walked(&mut self, end: End, packet: Packet) -> Walked {
        self.links_left = LINKS;
        Walked { path: Path { steps: std::mem::take(&mut self.steps), end }, at: self.last, packet }
    }

    /// A namespace, which was read before or is read now.
    fn space(&mut self, number: usize) -> Result<&'a Space, Box<End>> {
        self.last = number;
        self.places.space(number).map_err(|error| {
            let namespace = "a namespace".to_owned();
            Box::new(End::Unreachable { namespace, reason: error.to_string(), hint: None })
        })
    }

    /// Notes a step.
    fn step(&mut self, space: &Space, kind: Kind, text: impl Into<String>, packet: &Packet) {
        self.changed(space, kind, text, packet, None);
    }

    /// Notes a step that may have changed the packet.
    fn changed(&mut self, space: &Space, kind: Kind, text: impl Into<String>, packet: &Packet, before: Option<Flow>) {
        self.steps.push(Step {
            namespace: space.place.name.clone(),
            kind,
            text: text.into(),
            packet: packet.flow,
            before,
            mark: packet.mark,
            chains: Vec::new(),
        });
    }

    /// Lets the rules of IP see a packet. Whether routes have to be asked anew.
    fn hook(&mut self, number: usize, hook: Hook, packet: &mut Packet) -> Result<bool, Box<End>> {
        self.rules(number, Layer::Ip, &Hooked::ip(hook), packet)
    }

    /// Lets rules see a packet.
    fn rules(
        &mut self,
        number: usize,
        layer: Layer<'_>,
        hooked: &Hooked<'_>,
        packet: &mut Packet,
    ) -> Result<bool, Box<End>> {
        let space = self.space(number)?;
        let rules = space.rules().map_err(|reason| unreachable(space, reason))?;
        let known = self.known.entry(number).or_default();
        let mut passage = hook::pass(rules, layer, hooked, packet, known, space, &space.place.name);
        self.uncertain |= passage.uncertain;
        if !passage.chains.is_empty() {
            let what = match layer {
                Layer::Ip => "",
                Layer::Bridge => "bridge ",
                Layer::Device(_) => "device ",
            };
            self.step(space, Kind::Hook, format!("{what}{}{}", hooked.hook.name(), interfaces(packet)), packet);
            if let Some(step) = self.steps.last_mut() {
                step.chains = std::mem::take(&mut passage.chains);
            }
        }
        if let Some(before) = passage.before {
            let text = translation(before, packet.flow);
            self.changed(space, Kind::Nat, text, packet, Some(before));
        }
        passage.end.map_or(Ok(passage.reroute), |end| Err(Box::new(end)))
    }

    /// One link less to go.
    fn count_link(&mut self, space: &Space) -> Result<(), Box<End>> {
        self.links_left =
            self.links_left.checked_sub(1).ok_or_else(|| dropped(space, "it goes round in circles", None))?;
        Ok(())
    }
}

/// By which interfaces, for the heading of a hook.
fn interfaces(packet: &Packet) -> String {
    match (&packet.input, &packet.output) {
        (Some(input), Some(output)) => format!(" (from {} to {})", input.name, output.name),
        (Some(input), None) => format!(" (from {})", input.name),
        (None, Some(output)) => format!(" (to {})", output.name),
        (None, None) => String::new(),
    }
}

/// What was translated, in words.
fn translation(before: Flow, after: Flow) -> String {
    let source = (before.source, before.source_port) != (after.source, after.source_port);
    let destination = (before.destination, before.destination_port) != (after.destination, after.destination_port);
    let what = match (source, destination) {
        (true, true) => "source and destination are translated",
        (true, false) => "the source is translated",
        _ => "the destination is translated",
    };
    format!("{what}: {before} becomes {after}")
}

fn unreachable(space: &Space, reason: impl Into<String>) -> Box<End> {
    let namespace = space.place.name.clone();
    Box::new(End::Unreachable { namespace, reason: reason.into(), hint: None })
}

fn unreachable_with_hint(space: &Space, reason: impl Into<String>, hint: impl Into<String>) -> Box<End> {
    let namespace = space.place.name.clone();
    Box::new(End::Unreachable { namespace, reason: reason.into(), hint: Some(hint.into()) })
}

fn dropped(space: &Space, reason: impl Into<String>, hint: Option<String>) -> Box<End> {
    let namespace = space.place.name.clone();
    Box::new(End::Dropped { namespace, rule: None, reason: reason.into(), hint })
}
