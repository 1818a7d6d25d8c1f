//! What one network adds: chains of its own, and the elements that lead to them by the name of its bridge.

use crate::firewall::compile::{BRIDGES, FORWARD_FROM, FORWARD_TO, POSTROUTING_FROM, POSTROUTING_TO};
use crate::firewall::phrase::{self, End, phrases};
use crate::network::Network;
use crate::nft::{Chain, Comparison, Data, Element, Expression, MetaKey, Rule, Verdict};

/// The chains of a network with a bridge, with their rules.
pub(super) fn chains(network: &Network) -> Vec<Chain> {
    let mut all = vec![forward_to(network)];
    if network.internal {
        all.push(forward_from(network));
    } else {
        all.push(postrouting_to(network));
    }
    if is_masqueraded(network) {
        all.push(postrouting_from(network));
    }
    for chain in &mut all {
        chain.comment = Some(format!("network {}", network.name));
    }
    all
}

/// The elements that lead to the chains, with the sets that they belong to.
pub(super) fn elements(network: &Network) -> Vec<(&'static str, Element)> {
    let key = phrase::interface_name(&network.link);
    let jump = |chain: String| Element::with_data(key.clone(), Data::Verdict(Verdict::Jump(chain)));
    let mut all = vec![(BRIDGES, Element::new(key.clone())), (FORWARD_TO, jump(forward_to_name(network)))];
    if network.internal {
        all.push((FORWARD_FROM, jump(forward_from_name(network))));
    } else {
        all.push((POSTROUTING_TO, jump(postrouting_to_name(network))));
    }
    if is_masqueraded(network) {
        all.push((POSTROUTING_FROM, jump(postrouting_from_name(network))));
    }
    all
}

fn forward_to_name(network: &Network) -> String {
    format!("forward-to-{}", network.link)
}

fn forward_from_name(network: &Network) -> String {
    format!("forward-from-{}", network.link)
}

fn is_masqueraded(network: &Network) -> bool {
    network.masquerade && !network.internal
}

fn postrouting_to_name(network: &Network) -> String {
    format!("postrouting-to-{}", network.link)
}

fn postrouting_from_name(network: &Network) -> String {
    format!("postrouting-from-{}", network.link)
}

/// What may come to the bridge. Nothing new but from the bridge itself and by published ports: so networks are apart from one
/// another, and from outside. An internal network has neither published ports nor connections to elsewhere.
fn forward_to(network: &Network) -> Chain {
    let mut rules = Vec::new();
    if !network.internal {
        rules.push(Rule::new(
            "connections that are there, and what belongs to them",
            phrases([phrase::of_known_connections(), phrase::verdict(Verdict::Accept)]),
        ));
        rules.push(Rule::new(
            "published ports",
            phrases([phrase::translated_destination(), phrase::verdict(Verdict::Accept)]),
        ));
    }
    // Packets between ports of one bridge come by here only if br_netfilter shows them, or a container routes them.
    let (comment, then) = if network.icc {
        ("from container to container", phrase::verdict(Verdict::Accept))
    } else {
        ("no connections between containers (enable_icc=false)", phrase::count_and_drop())
    };
    rules.push(Rule::new(comment, phrases([interface(network, MetaKey::IifName, Comparison::Equal), then])));
    let comment = if network.internal { "internal network" } else { "not published" };
    rules.push(Rule::new(comment, phrase::count_and_drop()));
    Chain { rules, ..Chain::new(forward_to_name(network)) }
}

/// What may leave the bridge of an internal network: nothing.
fn forward_from(network: &Network) -> Chain {
    let elsewhere = interface(network, MetaKey::OifName, Comparison::NotEqual);
    let rules = vec![Rule::new("internal network", phrases([elsewhere, phrase::count_and_drop()]))];
    Chain { rules, ..Chain::new(forward_from_name(network)) }
}

/// Which sources packets to the bridge do not keep. A container could answer neither to loopback nor, past the host that
/// translated its address, to its own network.
///
/// Where the packet came from is not asked: of packets that `br_netfilter` shows, it is not known here.
fn postrouting_to(network: &Network) -> Chain {
    let mut rules = Vec::new();
    if network.ipv4().is_some() {
        let loopback = phrases([phrase::address_in(End::Source, phrase::loopback()), phrase::masquerade()]);
        rules.push(Rule::new("from loopback of the host", loopback));
    }
    rules.extend(network.pools.iter().map(|pool| {
        let rule = phrases([
            phrase::address_in(End::Source, pool.subnet),
            phrase::translated_destination(),
            phrase::masquerade(),
        ]);
        Rule::new("a published port of its own network", rule)
    }));
    Chain { rules, ..Chain::new(postrouting_to_name(network)) }
}

/// With which source packets from the bridge leave. That this is known here needs Linux 5.7.
fn postrouting_from(network: &Network) -> Chain {
    let rules = network.pools.iter().map(|pool| {
        let rule = phrases([
            phrase::address_in(End::Source, pool.subnet),
            interface(network, MetaKey::OifName, Comparison::NotEqual),
            phrase::masquerade(),
        ]);
        Rule::new("outside, containers have the address of this host", rule)
    });
    Chain { rules: rules.collect(), ..Chain::new(postrouting_from_name(network)) }
}

fn interface(network: &Network, key: MetaKey, comparison: Comparison) -> Vec<Expression> {
    phrase::interface(key, comparison, &network.link)
}
