//! The hooks of netfilter: which chains see a packet at a point, in which order, and what becomes of it.
//!
//! Chains of all tables of a packet's family come in the order of their priorities; of equal ones, the kernel asks the one
//! that was added last first (`nf_hook_entries_grow`). Chains of type `nat` are not hooks of their own: they all hang on
//! one of connection tracking's, at a fixed priority, and see only the first packet of a connection whose end is not settled
//! yet.

use crate::nft::{Chain, Family, Hook, Ruleset, Table};

use super::connection::{Connections, End as Side};
use super::evaluate::{self, Decision, Hooked, Surroundings, Walked};
use super::packet::{Flow, Packet, Tracking};
use super::step::{ChainStep, End, RuleName, RuleStep};
use super::words;

/// `NFT_TABLE_F_DORMANT`.
const DORMANT: u32 = 1;
/// `NF_IP_PRI_CONNTRACK`.
const CONNTRACK: i32 = -200;
/// `NF_IP_PRI_NAT_DST`.
const NAT_DESTINATION: i32 = -100;
/// `NF_IP_PRI_NAT_SRC`.
const NAT_SOURCE: i32 = 100;

/// What became of a packet at a hook.
#[derive(Debug, Default)]
pub(super) struct Passage {
    /// Chains that saw it.
    pub(super) chains: Vec<ChainStep>,
    /// The packet before its addresses were translated, if they were.
    pub(super) before: Option<Flow>,
    /// How its way ends here, if it does.
    pub(super) end: Option<End>,
    /// Whether routes have to be asked anew (`ip_route_me_harder`).
    pub(super) reroute: bool,
    /// Whether something depended on what cannot be told.
    pub(super) uncertain: bool,
}

/// What is at a hook.
enum Entry<'a> {
    Chain(&'a Table, &'a Chain),
    Track,
    Translate,
}

/// Which tables a packet is seen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer<'a> {
    /// Those of IP.
    Ip,
    /// Those of bridges.
    Bridge,
    /// Those of this device.
    Device(&'a str),
}

impl Layer<'_> {
    fn takes(self, table: &Table, chain: &Chain, is_ipv4: bool) -> bool {
        let on = |device: &str| chain.base.as_ref().is_some_and(|base| base.devices.iter().any(|own| own == device));
        match (self, table.family) {
            (Layer::Ip, Family::Inet) | (Layer::Bridge, Family::Bridge) => true,
            (Layer::Ip, Family::Ip) => is_ipv4,
            (Layer::Ip, Family::Ip6) => !is_ipv4,
            (Layer::Device(device), Family::Netdev | Family::Inet) => on(device),
            _ => false,
        }
    }
}

/// Lets the rules of a hook see a packet.
pub(super) fn pass(
    rules: &Ruleset,
    layer: Layer<'_>,
    hooked: &Hooked<'_>,
    packet: &mut Packet,
    known: &mut Connections,
    around: &dyn Surroundings,
    namespace: &str,
) -> Passage {
    let mut passage = Passage::default();
    let (entries, nat_chains) = entries(rules, layer, hooked.hook, packet.is_ipv4());
    for entry in entries {
        match entry {
            Entry::Track => track(packet, known),
            Entry::Chain(table, chain) => passage.see(table, chain, packet, hooked, around, namespace),
            Entry::Translate => passage.translate(&nat_chains, packet, hooked, around, namespace),
        }
        if passage.end.is_some() {
            return passage;
        }
    }
    // Behind everything else, at the way out, a connection is noted (`nf_conntrack_confirm`).
    if layer == Layer::Ip
        && matches!(hooked.hook, Hook::Postrouting | Hook::Input)
        && let Some(connection) = packet.connection()
    {
        known.confirm(connection);
    }
    passage
}

type NatChains<'a> = Vec<(&'a Table, &'a Chain)>;

/// What is at a hook, in order, and the chains that translate.
fn entries<'a>(rules: &'a Ruleset, layer: Layer<'_>, hook: Hook, is_ipv4: bool) -> (Vec<Entry<'a>>, NatChains<'a>) {
    let mut all: Vec<(i32, i64, Entry<'a>)> = Vec::new();
    let mut nat: Vec<(i32, i64, (&Table, &Chain))> = Vec::new();
    let mut nat_began = 0;
    let mut count = 0;
    for table in rules.tables.iter().filter(|table| table.flags & DORMANT == 0) {
        for chain in &table.chains {
            let Some(base) = chain.base.as_ref().filter(|_| layer.takes(table, chain, is_ipv4)) else { continue };
            count += 1;
            let is_nat = base.kind == "nat" && layer == Layer::Ip;
            if is_nat && nat_began == 0 {
                nat_began = count;
            }
            match base.hook == hook {
                true if is_nat => nat.push((base.priority, -count, (table, chain))),
                true => all.push((base.priority, -count, Entry::Chain(table, chain))),
                false => {}
            }
        }
    }
    if layer == Layer::Ip {
        if matches!(hook, Hook::Prerouting | Hook::Output) {
            all.push((CONNTRACK, i64::MIN, Entry::Track));
            all.push((NAT_DESTINATION, -nat_began, Entry::Translate));
        } else if matches!(hook, Hook::Postrouting | Hook::Input) {
            all.push((NAT_SOURCE, -nat_began, Entry::Translate));
        }
    }
    all.sort_by_key(|(priority, order, _)| (*priority, *order));
    nat.sort_by_key(|(priority, order, _)| (*priority, *order));
    (all.into_iter().map(|(.., entry)| entry).collect(), nat.into_iter().map(|(.., chain)| chain).collect())
}

/// Finds a packet's connection. What comes back over `lo` has its connection with it.
fn track(packet: &mut Packet, known: &Connections) {
    if packet.tracking == Tracking::Unseen {
        packet.tracking = Tracking::Tracked(known.find(packet.flow));
    }
}

impl Passage {
    fn see(
        &mut self,
        table: &Table,
        chain: &Chain,
        packet: &mut Packet,
        hooked: &Hooked<'_>,
        around: &dyn Surroundings,
        namespace: &str,
    ) {
        let (flow, mark) = (packet.flow, packet.mark);
        let walked = evaluate::run(table, chain, packet, hooked, around);
        let is_route = chain.base.as_ref().is_some_and(|base| base.kind == "route");
        self.reroute |= is_route && (flow, mark) != (packet.flow, packet.mark);
        self.note(table, chain, walked, namespace);
    }

    /// Translates both ends as connection tracking does: rules are asked once for each end of a connection.
    fn translate(
        &mut self,
        chains: &[(&Table, &Chain)],
        packet: &mut Packet,
        hooked: &Hooked<'_>,
        around: &dyn Surroundings,
        namespace: &str,
    ) {
        let Some(side) = hooked.end() else { return };
        if packet.connection().is_some_and(|connection| !connection.is_reply && !connection.is_settled(side)) {
            for (table, chain) in chains {
                self.see(table, chain, packet, hooked, around, namespace);
                if self.end.is_some() {
                    return;
                }
                if packet.connection().is_some_and(|connection| connection.is_settled(side)) {
                    break;
                }
            }
            if let Some(connection) = packet.connection_mut() {
                connection.settle(side);
            }
        }
        let before = packet.flow;
        let mut flow = before;
        if let Some(connection) = packet.connection() {
            connection.translate(side, &mut flow);
        }
        packet.flow = flow;
        if flow != before {
            self.before = Some(before);
            self.reroute |= side == Side::Destination && flow.destination != before.destination;
        }
    }

    /// Notes what a chain did.
    fn note(&mut self, table: &Table, chain: &Chain, walked: Walked, namespace: &str) {
        let name = |chain: &str, number: usize| rule_name(table, chain, number);
        let rules: Vec<RuleStep> = walked
            .matched
            .into_iter()
            .map(|matched| RuleStep {
                text: words::rule(table, &matched.chain, matched.position),
                name: name(&matched.chain, matched.position + 1),
                depth: matched.depth,
                effects: matched.effects,
            })
            .collect();
        let mut remarks: Vec<String> = Vec::new();
        for doubt in walked.doubts {
            self.uncertain = true;
            let rule = name(&doubt.chain, doubt.position + 1);
            let text = words::rule(table, &doubt.chain, doubt.position);
            remarks.push(format!(
                "cannot be told: whether {rule} matches ({text}): {}. If it does, {}. The trace goes on as if it did not",
                doubt.why, doubt.would
            ));
        }
        remarks.extend(walked.assumed.iter().map(|assumed| format!("assumed: {assumed}")));
        remarks.dedup();
        let last = rules.last().map(|rule| rule.name.clone());
        let namespace = namespace.to_owned();
        let dropped = |rule, reason: String| {
            let hint = Some(words::hint(table, chain));
            Some(End::Dropped { namespace: namespace.clone(), rule, reason, hint })
        };
        let (decision, end) = match walked.decision {
            Decision::Accepted => ("accepted by a rule".to_owned(), None),
            Decision::PolicyAccepts => ("passes: policy accept".to_owned(), None),
            Decision::Dropped => ("dropped by a rule".to_owned(), dropped(last, "is dropped".to_owned())),
            Decision::PolicyDrops => {
                let policy = Some(name(&chain.name, 0));
                (
                    "dropped: no rule accepts it, and the policy is drop".to_owned(),
                    dropped(policy, "is dropped".to_owned()),
                )
            }
            Decision::Impossible(why) => (format!("dropped: {why}"), dropped(last, format!("is dropped ({why})"))),
            Decision::Rejected(how) => {
                let end = End::Rejected { namespace, rule: last, reason: format!("is rejected with {how}") };
                (format!("rejected with {how}"), Some(end))
            }
            Decision::Queued(number) => {
                self.uncertain = true;
                let remark = "cannot be told: what the program decides. The trace goes on as if it accepted";
                remarks.push(remark.to_owned());
                (format!("given to a program at queue {number}"), None)
            }
        };
        self.chains.push(ChainStep {
            family: table.family.name().to_owned(),
            table: table.name.clone(),
            chain: chain.name.clone(),
            priority: chain.base.as_ref().map_or(0, |base| base.priority),
            rules,
            decision,
            passes: end.is_none(),
            remarks,
        });
        self.end = self.end.take().or(end);
    }
}

fn rule_name(table: &Table, chain: &str, number: usize) -> RuleName {
    let rule = table.chain(chain).zip(number.checked_sub(1)).and_then(|(chain, at)| chain.rules.get(at));
    RuleName {
        family: table.family.name().to_owned(),
        table: table.name.clone(),
        chain: chain.to_owned(),
        number,
        handle: rule.and_then(|rule| rule.handle),
        comment: rule.and_then(words::comment),
    }
}
