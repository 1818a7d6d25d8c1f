//! What a trace says: steps, and how they end. This is also the shape of `--format json`: fields are only ever added.

use std::net::IpAddr;

use serde::Serialize;

use super::packet::Flow;

/// A trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// Version of this shape.
    pub version: u32,
    /// The packet as it was sent.
    pub packet: Flow,
    /// Where it was sent: `host`, the name of a container, or `outside`.
    pub from: String,
    /// The way of the first packet.
    pub request: Path,
    /// The way of the answer to it, where the first one arrived.
    pub answer: Option<Path>,
    /// In one word, what came of it.
    pub verdict: Verdict,
    /// Whether nothing on the way depended on what cannot be told.
    pub certain: bool,
    /// What is worth knowing besides.
    pub notes: Vec<String>,
}

/// The way of one packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Path {
    /// Step by step.
    pub steps: Vec<Step>,
    /// How it ends.
    pub end: End,
}

/// In one word, what came of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It arrives, and the answer comes back.
    Works,
    /// It arrives where nobody listens, and that is said to the sender.
    Refused,
    /// It is rejected on the way, and that is said to the sender.
    Rejected,
    /// It is dropped on the way: the sender waits.
    Dropped,
    /// There is no way to where it is to go.
    Unreachable,
    /// It arrives, but no answer comes back.
    Unanswered,
}

/// How the way of a packet ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum End {
    /// A socket has it, or the kernel itself answers it.
    Delivered {
        /// In which namespace.
        namespace: String,
        /// Whose the socket is, if that is known.
        process: Option<String>,
    },
    /// It has left this host.
    Left {
        /// Which namespace.
        namespace: String,
        /// By which link.
        link: String,
        /// To which neighbour.
        next: IpAddr,
    },
    /// Nobody listens there.
    Refused {
        /// In which namespace.
        namespace: String,
        /// In words.
        reason: String,
    },
    /// It is dropped.
    Dropped {
        /// In which namespace.
        namespace: String,
        /// The rule or the chain that does it; None where it is no rule.
        rule: Option<RuleName>,
        /// In words.
        reason: String,
        /// What to do about it, if that is known.
        hint: Option<String>,
    },
    /// It is dropped, and the sender is told.
    Rejected {
        /// In which namespace.
        namespace: String,
        /// The rule that does it.
        rule: Option<RuleName>,
        /// In words.
        reason: String,
    },
    /// There is no way on.
    Unreachable {
        /// In which namespace.
        namespace: String,
        /// In words.
        reason: String,
        /// What to do about it, if that is known.
        hint: Option<String>,
    },
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// In which namespace: `host`, the name of a container, `outside`.
    pub namespace: String,
    /// What kind of step it is.
    pub kind: Kind,
    /// What happens, in words.
    pub text: String,
    /// The packet behind this step.
    pub packet: Flow,
    /// The packet before it, where the step has changed it.
    pub before: Option<Flow>,
    /// Its mark.
    pub mark: u32,
    /// Chains that see it, of a step at a hook, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chains: Vec<ChainStep>,
}

/// What kind of step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A socket sends or takes it.
    Socket,
    /// It goes by a link.
    Link,
    /// A bridge takes it on.
    Bridge,
    /// Rules see it.
    Hook,
    /// Routes say where it goes.
    Route,
    /// Its addresses are translated.
    Nat,
}

/// What a base chain does with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainStep {
    /// The family of its table.
    pub family: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// Its priority.
    pub priority: i32,
    /// Rules that match, in order, those of chains that were jumped to too.
    pub rules: Vec<RuleStep>,
    /// What became of the packet.
    pub decision: String,
    /// Whether it goes on.
    pub passes: bool,
    /// What cannot be told of this chain, and what is taken for granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// A rule that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleStep {
    /// Which one.
    #[serde(flatten)]
    pub name: RuleName,
    /// In the words of `nft(8)`.
    pub text: String,
    /// How many jumps lead there.
    pub depth: usize,
    /// What it does.
    pub effects: Vec<String>,
}

/// Which rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleName {
    /// The family of its table.
    pub family: String,
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// Which one of the chain, from 1 on; 0 is the chain's policy.
    pub number: usize,
    /// The kernel's name of it, for `nft delete rule`.
    pub handle: Option<u64>,
    /// What its maker says.
    pub comment: Option<String>,
}

/// The trace, for programs: an object of the shape above.
pub fn json(trace: &Trace) -> String {
    serde_json::to_string_pretty(trace).unwrap_or_default()
}

impl End {
    /// Whether the packet arrived.
    pub fn arrives(&self) -> bool {
        matches!(self, End::Delivered { .. } | End::Left { .. })
    }

    /// What that is for whoever has sent the first packet.
    pub fn verdict(&self) -> Verdict {
        match self {
            End::Delivered { .. } | End::Left { .. } => Verdict::Works,
            End::Refused { .. } => Verdict::Refused,
            End::Dropped { .. } => Verdict::Dropped,
            End::Rejected { .. } => Verdict::Rejected,
            End::Unreachable { .. } => Verdict::Unreachable,
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            End::Delivered { namespace, process: Some(process) } => format!("arrives in {namespace}: {process} has it"),
            End::Delivered { namespace, process: None } => format!("arrives in {namespace}"),
            End::Left { namespace, link, next } => format!("leaves {namespace} by {link}, to {next}"),
            End::Refused { namespace, reason }
            | End::Dropped { namespace, rule: None, reason, .. }
            | End::Rejected { namespace, rule: None, reason }
            | End::Unreachable { namespace, reason, .. } => format!("{reason}, in {namespace}"),
            End::Dropped { namespace, rule: Some(rule), reason, .. }
            | End::Rejected { namespace, rule: Some(rule), reason } => {
                format!("{reason} by {rule}, in {namespace}")
            }
        }
    }

    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            End::Dropped { hint, .. } | End::Unreachable { hint, .. } => hint.as_deref(),
            _ => None,
        }
    }
}

impl ChainStep {
    /// Whether there is nothing to say of it: it lets the packet pass, and no rule matches.
    pub fn is_silent(&self) -> bool {
        self.passes && self.rules.is_empty() && self.remarks.is_empty()
    }
}

impl std::fmt::Display for RuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.number {
            0 => write!(f, "the policy of {} {} {}", self.family, self.table, self.chain),
            number => write!(f, "rule {number} of {} {} {}", self.family, self.table, self.chain),
        }?;
        self.handle.map_or(Ok(()), |handle| write!(f, " (handle {handle})"))
    }
}

impl Verdict {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Works => "works",
            Verdict::Refused => "refused",
            Verdict::Rejected => "rejected",
            Verdict::Dropped => "dropped",
            Verdict::Unreachable => "unreachable",
            Verdict::Unanswered => "unanswered",
        }
    }
}
