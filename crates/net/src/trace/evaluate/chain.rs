//! Chains: rule after rule, jumps to other chains and back, and the policy at the end.

use super::super::super::nft::{Chain, Hook, Rule, Table, Verdict};
use super::super::connection::End;
use super::super::packet::Packet;
use super::Surroundings;
use super::rule::{self, Decided};

/// `NFT_JUMP_STACK_SIZE`: how deep jumps go.
const DEPTH: usize = 16;
/// How many rules are looked at for one chain at most. The kernel allows no loops, but what is read here is not trusted.
const RULES: usize = 1_000_000;

/// Where a packet is when rules see it.
#[derive(Debug, Clone, Copy)]
pub(in crate::trace) struct Hooked<'a> {
    /// At which point.
    pub hook: Hook,
    /// Whether this is the point of a bridge, not of IP.
    pub in_bridge: bool,
    /// The bridge of the port that it came in by.
    pub input_bridge: Option<&'a str>,
    /// The bridge of the port that it leaves by.
    pub output_bridge: Option<&'a str>,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trace) struct Matched {
    /// In which chain.
    pub chain: String,
    /// Which one of the chain, from 0 on.
    pub position: usize,
    /// The kernel's name of it.
    pub handle: Option<u64>,
    /// How many jumps lead there.
    pub depth: usize,
    /// What it did: changes and decisions, in words.
    pub effects: Vec<String>,
}

/// What a base chain does with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trace) enum Decision {
    /// A rule has accepted it.
    Accepted,
    /// No rule decided, and the policy accepts.
    PolicyAccepts,
    /// A rule has dropped it.
    Dropped,
    /// No rule decided, and the policy drops.
    PolicyDrops,
    /// A rule has rejected it: how.
    Rejected(String),
    /// A rule could not do what it says, which drops it: why.
    Impossible(String),
    /// A rule gave it to a program, by the number of its queue.
    Queued(u16),
}

/// The way of a packet through a base chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trace) struct Walked {
    /// Rules that matched, in order.
    pub matched: Vec<Matched>,
    /// What became of it.
    pub decision: Decision,
    /// Rules of which it cannot be told whether they match: where, why, and what they would do.
    pub doubts: Vec<Doubt>,
    /// What was taken for granted.
    pub assumed: Vec<&'static str>,
}

/// A rule of which it cannot be told whether it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trace) struct Doubt {
    /// In which chain.
    pub chain: String,
    /// Which one of the chain, from 0 on.
    pub position: usize,
    /// Why.
    pub why: String,
    /// What it would do.
    pub would: String,
}

/// How a chain ended.
enum End_ {
    /// Nothing decided: whoever jumped here goes on.
    Over,
    /// This was decided.
    Decided(Decision),
}

struct Walk<'a> {
    table: &'a Table,
    hooked: &'a Hooked<'a>,
    around: &'a dyn Surroundings,
    walked: Walked,
    left: usize,
}

impl Hooked<'_> {
    /// The point of IP that this is.
    pub(in crate::trace) fn ip(hook: Hook) -> Hooked<'static> {
        Hooked { hook, in_bridge: false, input_bridge: None, output_bridge: None }
    }

    /// Which end of a connection is translated here.
    pub(in crate::trace) fn end(&self) -> Option<End> {
        match self.hook {
            Hook::Prerouting | Hook::Output => Some(End::Destination),
            Hook::Postrouting | Hook::Input => Some(End::Source),
            _ => None,
        }
    }

    /// Whether it is one at which packets come in.
    pub(super) fn is_first(&self) -> bool {
        matches!(self.hook, Hook::Prerouting | Hook::Ingress)
    }

    /// `NFPROTO_*` of this point.
    pub(super) fn family_number(&self, is_ipv4: bool) -> u8 {
        match (self.in_bridge, self.hook) {
            (true, _) => 7,
            (_, Hook::Ingress | Hook::Egress) => 5,
            _ if is_ipv4 => 2,
            _ => 10,
        }
    }
}

/// Runs a base chain. Its rules may change the packet.
pub(in crate::trace) fn run(
    table: &Table,
    chain: &Chain,
    packet: &mut Packet,
    hooked: &Hooked<'_>,
    around: &dyn Surroundings,
) -> Walked {
    let walked =
        Walked { matched: Vec::new(), decision: Decision::PolicyAccepts, doubts: Vec::new(), assumed: Vec::new() };
    let mut walk = Walk { table, hooked, around, walked, left: RULES };
    walk.walked.decision = match walk.chain(chain, 0, packet) {
        End_::Decided(decision) => decision,
        End_::Over if chain.base.as_ref().is_none_or(|base| base.accept) => Decision::PolicyAccepts,
        End_::Over => Decision::PolicyDrops,
    };
    walk.walked
}

impl Walk<'_> {
    fn chain(&mut self, chain: &Chain, depth: usize, packet: &mut Packet) -> End_ {
        for (position, rule) in chain.rules.iter().enumerate() {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            let Some(decided) = self.rule(chain, position, rule, depth, packet) else { continue };
            let (name, goes_back) = match decided {
                Decided::Verdict(Verdict::Jump(name)) => (name, true),
                Decided::Verdict(Verdict::Goto(name)) => (name, false),
                Decided::Verdict(Verdict::Return) => return End_::Over,
                decided => return End_::Decided(decision(decided)),
            };
            let next = self.table.chain(&name).filter(|_| depth < DEPTH);
            match next.map_or(End_::Over, |next| self.chain(next, depth + 1, packet)) {
                End_::Over if goes_back => {}
                end => return end,
            }
        }
        End_::Over
    }

    /// Runs a rule and notes what it did; None if the next one is to be looked at.
    fn rule(
        &mut self,
        chain: &Chain,
        position: usize,
        rule: &Rule,
        depth: usize,
        packet: &mut Packet,
    ) -> Option<Decided> {
        let ran = rule::run(self.table, rule, packet, self.hooked, self.around);
        if let Some((why, would)) = ran.doubt {
            self.walked.doubts.push(Doubt { chain: chain.name.clone(), position, why, would });
        }
        if !ran.matched {
            return None;
        }
        self.walked.assumed.extend(ran.assumed);
        let mut effects = ran.effects;
        effects.extend(ran.decided.as_ref().map(words));
        let (chain, handle) = (chain.name.clone(), rule.handle);
        self.walked.matched.push(Matched { chain, position, handle, depth, effects });
        ran.decided
    }
}

fn decision(decided: Decided) -> Decision {
    match decided {
        Decided::Verdict(Verdict::Drop | Verdict::Other(_)) => Decision::Dropped,
        Decided::Verdict(Verdict::Queue(number)) => Decision::Queued(number),
        Decided::Verdict(_) => Decision::Accepted,
        Decided::Reject(how) => Decision::Rejected(how),
        Decided::Impossible(why) => Decision::Impossible(why.to_owned()),
    }
}

fn words(decided: &Decided) -> String {
    match decided {
        Decided::Verdict(Verdict::Accept) => "accepted".to_owned(),
        Decided::Verdict(Verdict::Drop | Verdict::Other(_)) => "dropped".to_owned(),
        Decided::Verdict(Verdict::Continue) => "goes on".to_owned(),
        Decided::Verdict(Verdict::Return) => "returns".to_owned(),
        Decided::Verdict(Verdict::Jump(chain)) => format!("jumps to {chain}"),
        Decided::Verdict(Verdict::Goto(chain)) => format!("goes to {chain}"),
        Decided::Verdict(Verdict::Queue(number)) => format!("is given to the program at queue {number}"),
        Decided::Reject(how) => format!("rejected with {how}"),
        Decided::Impossible(why) => format!("dropped: {why}"),
    }
}
