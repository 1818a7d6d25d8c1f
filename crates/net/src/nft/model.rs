//! Tables, chains, rules: what a ruleset is, without what its rules do.

use super::expression::Expression;
use super::set::Set;

/// All tables of a network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The tables, in the kernel's order.
    pub tables: Vec<Table>,
}

/// Which packets a table sees (`NFPROTO_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4.
    Ip,
    /// ARP.
    Arp,
    /// A device, before anything else does.
    Netdev,
    /// What bridges forward.
    Bridge,
    /// IPv6.
    Ip6,
    /// One that is not known here.
    Other(u8),
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its family.
    pub family: Family,
    /// Its name.
    pub name: String,
    /// `NFT_TABLE_F_*`.
    pub flags: u32,
    /// What its maker says.
    pub comment: Option<String>,
    /// Its sets and maps.
    pub sets: Vec<Set>,
    /// Its chains.
    pub chains: Vec<Chain>,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where packets come into it; None of one that is only jumped to.
    pub base: Option<Base>,
    /// What its maker says.
    pub comment: Option<String>,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// Where packets come into a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// `filter`, `nat` or `route`.
    pub kind: String,
    /// At which point.
    pub hook: Hook,
    /// Lower ones see packets first.
    pub priority: i32,
    /// Whether a packet goes on that no rule decided about.
    pub accept: bool,
    /// Of which devices, at `ingress` and `egress`.
    pub devices: Vec<String>,
}

/// A point at which packets pass by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Came in; not routed yet.
    Prerouting,
    /// For this host.
    Input,
    /// Passing through.
    Forward,
    /// From this host.
    Output,
    /// Going out; routed.
    Postrouting,
    /// Came in on a device.
    Ingress,
    /// Going out on a device.
    Egress,
    /// One that is not known here.
    Other(u32),
}

/// A rule: what it does to a packet, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// The kernel's name of it.
    pub handle: Option<u64>,
    /// What its maker says.
    pub comment: Option<String>,
    /// What it does.
    pub expressions: Vec<Expression>,
}

impl Ruleset {
    /// The table with this name.
    pub fn table(&self, family: Family, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.family == family && table.name == name)
    }
}

impl Table {
    /// One without anything in it.
    pub fn new(family: Family, name: &str) -> Table {
        Table { family, name: name.to_owned(), flags: 0, comment: None, sets: Vec::new(), chains: Vec::new() }
    }

    /// The chain with this name.
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }

    /// The set or map with this name.
    pub fn set(&self, name: &str) -> Option<&Set> {
        self.sets.iter().find(|set| set.name == name)
    }
}

impl Chain {
    /// One that is jumped to, without rules.
    pub fn new(name: impl Into<String>) -> Chain {
        Chain { name: name.into(), base: None, comment: None, rules: Vec::new() }
    }
}

impl Rule {
    /// A rule with a comment.
    pub fn new(comment: impl Into<String>, expressions: Vec<Expression>) -> Rule {
        Rule { handle: None, comment: Some(comment.into()), expressions }
    }
}

impl Family {
    /// The kernel's number of it.
    pub fn number(self) -> u8 {
        match self {
            Family::Inet => 1,
            Family::Ip => 2,
            Family::Arp => 3,
            Family::Netdev => 5,
            Family::Bridge => 7,
            Family::Ip6 => 10,
            Family::Other(number) => number,
        }
    }

    /// The one with this number.
    pub fn from_number(number: u8) -> Family {
        match number {
            1 => Family::Inet,
            2 => Family::Ip,
            3 => Family::Arp,
            5 => Family::Netdev,
            7 => Family::Bridge,
            10 => Family::Ip6,
            number => Family::Other(number),
        }
    }

    /// What `nft(8)` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Inet => "inet",
            Family::Ip => "ip",
            Family::Arp => "arp",
            Family::Netdev => "netdev",
            Family::Bridge => "bridge",
            Family::Ip6 => "ip6",
            Family::Other(_) => "unknown",
        }
    }
}

impl Hook {
    /// The kernel's number of it, which depends on the family.
    pub fn number(self, family: Family) -> u32 {
        match (self, family) {
            (Hook::Ingress, Family::Netdev) | (Hook::Prerouting, _) | (Hook::Input, Family::Arp) => 0,
            (Hook::Egress, Family::Netdev) | (Hook::Output, Family::Arp) | (Hook::Input, _) => 1,
            (Hook::Forward, _) => 2,
            (Hook::Output, _) => 3,
            (Hook::Postrouting, _) => 4,
            (Hook::Ingress, _) => 5,
            (Hook::Egress, _) => 6,
            (Hook::Other(number), _) => number,
        }
    }

    /// The one with this number in this family.
    pub fn from_number(number: u32, family: Family) -> Hook {
        match (number, family) {
            (0, Family::Netdev) | (5, Family::Inet) => Hook::Ingress,
            (1, Family::Netdev) => Hook::Egress,
            (0, Family::Arp) => Hook::Input,
            (1, Family::Arp) | (3, _) => Hook::Output,
            (0, _) => Hook::Prerouting,
            (1, _) => Hook::Input,
            (2, _) => Hook::Forward,
            (4, _) => Hook::Postrouting,
            (number, _) => Hook::Other(number),
        }
    }

    /// What `nft(8)` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Hook::Prerouting => "prerouting",
            Hook::Input => "input",
            Hook::Forward => "forward",
            Hook::Output => "output",
            Hook::Postrouting => "postrouting",
            Hook::Ingress => "ingress",
            Hook::Egress => "egress",
            Hook::Other(_) => "unknown",
        }
    }
}
