//! The whole table, computed: what is there without any network, and what networks and ports add.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::address::Subnet;
use crate::endpoint::Endpoint;
use crate::firewall::phrase::{self, End, phrases};
use crate::firewall::{network, others, ports};
use crate::network::Network;
use crate::nft::{Base, Chain, DataKind, DataType, Element, Family, Hook, MetaKey, Rule, Set, Table, Verdict};

/// The bridges of all networks.
pub(super) const BRIDGES: &str = "bridges";
/// What decides about packets that leave a bridge of an internal network.
pub(super) const FORWARD_FROM: &str = "forward-from";
/// What decides about packets that come to a bridge.
pub(super) const FORWARD_TO: &str = "forward-to";
/// What decides about packets from a bridge to one of another engine.
pub(super) const FORWARD_OTHERS: &str = "forward-others";
/// What translates sources of packets to a bridge.
pub(super) const POSTROUTING_TO: &str = "postrouting-to";
/// What translates sources of packets from a bridge.
pub(super) const POSTROUTING_FROM: &str = "postrouting-from";

/// `NF_IP_PRI_RAW`, `NF_IP_PRI_NAT_DST`, `NF_IP_PRI_NAT_SRC`.
const RAW: i32 = -300;
const DSTNAT: i32 = -100;
const SRCNAT: i32 = 100;
/// Just before `NF_IP_PRI_FILTER`, where everybody else filters: what we drop is gone, and what we let pass is for others to
/// decide about after us. See `neighbours`.
const FORWARD: i32 = -1;

/// The table of these networks and what lives on them. It depends on nothing else, and not on their order.
pub(crate) fn compile(table: &str, registers: &[(&Network, &[Endpoint])]) -> Table {
    let mut registers: Vec<_> = registers.iter().filter(|(network, _)| network.is_bridge()).collect();
    registers.sort_by(|(one, _), (other, _)| (&one.link, &one.id).cmp(&(&other.link, &other.id)));
    registers.dedup_by(|(one, _), (other, _)| one.link == other.link);
    let mut elements: BTreeMap<(&'static str, Vec<u8>), Element> = BTreeMap::new();
    let mut chains = base_chains();
    for (network, endpoints) in registers {
        chains.extend(network::chains(network));
        let published = endpoints.iter().flat_map(|endpoint| ports::elements(network, endpoint));
        // A port that two containers have is one's: a key that is there twice would be an error of the whole table.
        for (set, element) in network::elements(network).into_iter().chain(published) {
            elements.entry((set, element.key.clone())).or_insert(element);
        }
    }
    let mut sets = empty_sets();
    for ((name, _), element) in elements {
        if let Some(set) = sets.iter_mut().find(|set| set.name == name) {
            set.elements.push(element);
        }
    }
    Table {
        comment: Some("networks of containers; made by phial, which makes it anew when it was changed".to_owned()),
        sets,
        chains,
        ..Table::new(Family::Inet, table)
    }
}

fn empty_sets() -> Vec<Set> {
    let name = DataType::INTERFACE_NAME;
    let mut all = vec![
        Set::new(BRIDGES, name, "bridges of all networks"),
        Set::map(FORWARD_FROM, name, DataKind::Verdict, "what may leave a bridge: only of internal networks"),
        Set::map(FORWARD_TO, name, DataKind::Verdict, "what may come to a bridge"),
        Set::map(FORWARD_OTHERS, name, DataKind::Verdict, "what may come from a bridge to one of another engine"),
        Set::map(POSTROUTING_FROM, name, DataKind::Verdict, "with which source packets leave a bridge"),
        Set::map(POSTROUTING_TO, name, DataKind::Verdict, "with which source packets come to a bridge"),
    ];
    all.extend(ports::empty_sets());
    all
}

/// The chains that are there without any network.
pub(super) fn base_chains() -> Vec<Chain> {
    vec![loopback_guard(), prerouting(), output(), published(), others(), forward(), postrouting()]
}

/// Bridges have `route_localnet`, so that 127.0.0.1 of the host leads to containers. That lets packets from containers be
/// routed to and from 127.0.0.0/8 as well, where services listen that take nobody else for possible (CVE-2020-8558).
fn loopback_guard() -> Chain {
    let drop = |end, comment| {
        let rule = phrases([
            phrase::address_in(end, phrase::loopback()),
            phrase::interface_in(MetaKey::IifName, BRIDGES),
            phrase::count_and_drop(),
        ]);
        Rule::new(comment, rule)
    };
    let rules = vec![
        drop(End::Destination, "loopback of the host is not for containers"),
        drop(End::Source, "nor can they have its addresses"),
    ];
    base("loopback-guard", "filter", Hook::Prerouting, RAW, rules)
}

/// A packet for 127.0.0.1 that comes from outside is dropped as martian where it is routed; but were its destination translated
/// here, before that, it would reach a port that is published for this host only. Of this host itself, destinations
/// have been translated in `output`.
fn prerouting() -> Chain {
    let rules = vec![
        Rule::new(
            "loopback is for this host only",
            phrases([phrase::address_in(End::Destination, phrase::loopback()), phrase::verdict(Verdict::Return)]),
        ),
        to_published(),
    ];
    base("prerouting", "nat", Hook::Prerouting, DSTNAT, rules)
}

/// The kernel does not route from `::1` to anywhere else.
fn output() -> Chain {
    let one = Subnet::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 128).expect("an address of IPv6 has 128 bits");
    let rules = vec![
        Rule::new(
            "the kernel keeps ::1 to itself",
            phrases([phrase::address_in(End::Destination, one), phrase::verdict(Verdict::Return)]),
        ),
        to_published(),
    ];
    base("output", "nat", Hook::Output, DSTNAT, rules)
}

fn to_published() -> Rule {
    let jump = Verdict::Jump("published".to_owned());
    Rule::new("for an address of this host", phrases([phrase::to_this_host(), phrase::verdict(jump)]))
}

/// One lookup finds the container of a port; one that is published on this very address goes before one that is published on all.
fn published() -> Chain {
    let rules = ports::MAPS.iter().map(|map| {
        let comment = if map.with_address { "published on this address" } else { "published on all addresses" };
        Rule::new(comment, phrase::translate_by(map.name, map.is_ipv4, map.with_address))
    });
    Chain { rules: rules.collect(), ..Chain::new("published") }
}

/// Containers of another engine are reached where they are published, and not otherwise. See `others`.
fn others() -> Chain {
    let rules = vec![
        Rule::new(
            "connections that are there, and what belongs to them",
            phrases([phrase::of_known_connections(), phrase::verdict(Verdict::Accept)]),
        ),
        Rule::new("published ports", phrases([phrase::translated_destination(), phrase::verdict(Verdict::Accept)])),
        Rule::new("not published", phrase::count_and_drop()),
    ];
    Chain { rules, ..Chain::new(others::CHAIN) }
}

/// What comes to a bridge of ours has been decided about when the last rule is reached.
fn forward() -> Chain {
    let rules = vec![
        Rule::new("from a bridge", phrase::by_interface(MetaKey::IifName, FORWARD_FROM)),
        Rule::new("to a bridge", phrase::by_interface(MetaKey::OifName, FORWARD_TO)),
        Rule::new(
            "from a bridge to one of another engine",
            phrases([
                phrase::interface_in(MetaKey::IifName, BRIDGES),
                phrase::by_interface(MetaKey::OifName, FORWARD_OTHERS),
            ]),
        ),
    ];
    base("forward", "filter", Hook::Forward, FORWARD, rules)
}

fn postrouting() -> Chain {
    let rules = vec![
        Rule::new("from a bridge", phrase::by_interface(MetaKey::IifName, POSTROUTING_FROM)),
        Rule::new("to a bridge", phrase::by_interface(MetaKey::OifName, POSTROUTING_TO)),
    ];
    base("postrouting", "nat", Hook::Postrouting, SRCNAT, rules)
}

fn base(name: &str, kind: &str, hook: Hook, priority: i32, rules: Vec<Rule>) -> Chain {
    let base = Base { kind: kind.to_owned(), hook, priority, accept: true, devices: Vec::new() };
    Chain { base: Some(base), rules, ..Chain::new(name) }
}
