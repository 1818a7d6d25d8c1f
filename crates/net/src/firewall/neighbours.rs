//! Chains of others that would drop our packets.
//!
//! Docker and several firewalls set the policy of `FORWARD`, the chain of `iptables` that packets pass on their way through
//! this host, to `DROP`. An `accept` of our own chain does not help: each chain of a hook decides for itself. So, as they expect
//! of everybody, rules for our bridges are added to that chain: behind all others, or before one that drops all that is left.
//!
//! They accept everything from and to our bridges, and that is safe: our chain is before theirs (priority -1), has dropped what
//! must not pass, and a packet that is dropped comes to no other chain. Only chains that are there are touched, in the tables of
//! `iptables-nft`, and in the form that it can read itself.

use rustix::io::Errno;

use crate::error::Result;
use crate::firewall::intact::do_same;
use crate::firewall::nftables::Nftables;
use crate::firewall::zones;
use crate::network::Network;
use crate::nft::{
    self, Batch, Comparison, Expression, Family, Hook, MetaKey, Position, Register, Rule, Scope, Verdict,
};

/// The chain.
const CHAIN: &str = "FORWARD";
/// Where it may be.
const SCOPES: [Scope<'static>; 2] =
    [Scope { family: Family::Ip, table: "filter" }, Scope { family: Family::Ip6, table: "filter" }];
/// What our rules there say about themselves.
const COMMENT: &str = "phial: its own chain has decided before";
/// How often it is tried again because somebody else changes the ruleset meanwhile.
const TRIES: usize = 8;

impl Nftables {
    /// Lets packets of these networks pass where they would be dropped.
    pub(super) fn admit<'a>(&mut self, networks: impl Iterator<Item = &'a Network>) -> Result<()> {
        let networks: Vec<&Network> = networks.filter(|network| network.is_bridge()).collect();
        zones::trust(&mut self.socket, &networks)?;
        self.change(|scope, found, batch| {
            let end = found.iter().find(|rule| ends_all(rule)).and_then(|rule| rule.handle);
            if !drops_the_rest(scope, found) {
                return;
            }
            for rule in networks.iter().flat_map(|network| rules(network)) {
                if !found.iter().any(|other| do_same(&other.expressions, &rule.expressions)) {
                    batch.add_rule(scope.scope, CHAIN, &rule, end.map_or(Position::Last, Position::Before));
                }
            }
        })
    }

    /// Whether packets of these networks pass.
    pub(super) fn are_admitted(&mut self, networks: &[&Network]) -> Result<bool> {
        let mut all = zones::are_trusted(&mut self.socket, networks)?;
        for neighbour in self.neighbours()? {
            let found = self.rules_of(neighbour)?;
            let mut expected = networks.iter().flat_map(|network| rules(network));
            all &= !drops_the_rest(neighbour, &found)
                || expected.all(|rule| found.iter().any(|other| do_same(&other.expressions, &rule.expressions)));
        }
        Ok(all)
    }

    /// Removes what was added for a network.
    pub(super) fn dismiss(&mut self, network: &Network) -> Result<()> {
        let ours = rules(network);
        self.change(|neighbour, found, batch| {
            for rule in found {
                let is_ours = ours.iter().any(|other| do_same(&other.expressions, &rule.expressions));
                if let Some(handle) = rule.handle.filter(|_| is_ours) {
                    batch.delete_rule(neighbour.scope, CHAIN, handle);
                }
            }
        })
    }

    /// Reads the chains, and changes them if nobody else has done so meanwhile; otherwise again.
    fn change(&mut self, decide: impl Fn(Neighbour, &[Rule], &mut Batch)) -> Result<()> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut batch = Batch::since(self.socket.generation()?);
            for neighbour in self.neighbours()? {
                let found = self.rules_of(neighbour)?;
                decide(neighbour, &found, &mut batch);
            }
            match self.commit(&batch) {
                Err(error) if error.errno() == Some(Errno::RESTART) && tries < TRIES => {}
                answer => return answer,
            }
        }
    }

    fn neighbours(&mut self) -> Result<Vec<Neighbour>> {
        let mut all = Vec::new();
        for scope in SCOPES {
            let base = nft::get_chain(&mut self.socket, scope, CHAIN)?.and_then(|chain| chain.base);
            all.extend(
                base.filter(|base| base.hook == Hook::Forward).map(|base| Neighbour { scope, drops: !base.accept }),
            );
        }
        Ok(all)
    }

    fn rules_of(&mut self, neighbour: Neighbour) -> Result<Vec<Rule>> {
        let rules = nft::dump_rules(&mut self.socket, neighbour.scope, Some(CHAIN))?;
        Ok(rules.into_iter().map(|(_, rule)| rule).collect())
    }
}

/// A chain of others.
#[derive(Clone, Copy)]
struct Neighbour {
    scope: Scope<'static>,
    /// Whether its policy is to drop.
    drops: bool,
}

/// Whether a packet that no rule of the chain is about is dropped.
fn drops_the_rest(neighbour: Neighbour, rules: &[Rule]) -> bool {
    rules.iter().find(|rule| ends_all(rule)).map_or(neighbour.drops, |rule| !accepts(rule))
}

/// Whether a rule decides about every packet.
fn ends_all(rule: &Rule) -> bool {
    let Some((last, before)) = rule.expressions.split_last() else { return false };
    let decides = match last {
        Expression::Verdict(verdict) => matches!(verdict, Verdict::Accept | Verdict::Drop),
        Expression::Reject(_) => true,
        Expression::Target { name, .. } => name == "REJECT",
        _ => false,
    };
    decides && before.iter().all(|expression| matches!(expression, Expression::Counter { .. }))
}

fn accepts(rule: &Rule) -> bool {
    rule.expressions.last() == Some(&Expression::Verdict(Verdict::Accept))
}

/// The rules for a network, in the form of `iptables -A FORWARD -i <bridge> -j ACCEPT`: the name with its NUL and no more.
fn rules(network: &Network) -> [Rule; 2] {
    [MetaKey::IifName, MetaKey::OifName].map(|key| {
        let mut name = network.link.as_bytes().to_vec();
        name.push(0);
        let expressions = vec![
            Expression::Meta { key, destination: Register::FIRST },
            Expression::Cmp { source: Register::FIRST, comparison: Comparison::Equal, value: name },
            Expression::Counter { packets: 0, bytes: 0 },
            Expression::Verdict(Verdict::Accept),
        ];
        Rule::new(COMMENT, expressions)
    })
}
