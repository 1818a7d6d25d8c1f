//! What the firewall has to say about networks, and putting it into the kernel.
//!
//! All of it is one table of nftables, which [`compile`] computes from networks and their endpoints alone. [`Firewall`] puts it
//! there whole, or changes what one network or one container adds; either is one transaction. Others may flush it at any time
//! (`nft flush ruleset`): whoever starts a container asks whether anybody has changed any rule of the host since (`whole`), then
//! whether ours [are intact](Firewall::is_intact), and if not puts them there [anew](Firewall::replace).
//!
//! A kernel without nftables has the same as chains of `iptables` ([`iptables`]), and so has who chooses that.
//!
//! A packet passes these chains of the table:
//!
//! | chain | hook | what it decides |
//! |---|---|---|
//! | `loopback-guard` | prerouting, before connection tracking | what comes from a bridge has nothing to do with 127.0.0.0/8 (CVE-2020-8558) |
//! | `prerouting`, `output` | translation of destinations | a port of this host that is published leads to its container |
//! | `forward` | forward | what may come to a bridge, and what may leave one, also to containers of other engines |
//! | `postrouting` | translation of sources | who comes from a container has this host's address outside |
//!
//! Packets that have nothing to do with our bridges cost one lookup in `forward`, and the first of each connection a few more; no rule
//! decides about them. What is looked up are maps, so more networks and more ports do not cost more.

/// The whole table, computed.
mod compile;
/// Whether the kernel has what it should.
mod intact;
/// The rules as chains of `iptables`.
mod iptables;
/// Chains of others that would drop our packets.
mod neighbours;
/// What one network adds.
mod network;
/// The rules as a table of nftables, in the kernel.
mod nftables;
/// Bridges of other engines.
mod others;
/// Expressions of rules, phrase by phrase.
mod phrase;
/// What a published port adds.
mod ports;
/// Where programs are.
mod program;
#[cfg(test)]
mod tests;
/// firewalld, which has the last word about what passes.
mod zones;

pub(crate) use compile::compile;

use serde::{Deserialize, Serialize};

use crate::endpoint::{Endpoint, Published};
use crate::error::Result;
use crate::network::Network;

use iptables::Iptables;
use nftables::Nftables;

/// By what the rules come into the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// A table of nftables, without starting a program.
    Nftables,
    /// Chains of `iptables`, by the programs of this name.
    Iptables,
}

impl Backend {
    /// All of them.
    pub const ALL: [Backend; 2] = [Backend::Nftables, Backend::Iptables];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Nftables => "nftables",
            Backend::Iptables => "iptables",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Backend {
        match self {
            Backend::Nftables => Backend::Iptables,
            Backend::Iptables => Backend::Nftables,
        }
    }

    /// What the word means.
    pub fn from_name(name: &str) -> Option<Backend> {
        Backend::ALL.into_iter().find(|backend| backend.name() == name)
    }
}

/// Which of the rulesets, one after another, the kernel has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation {
    /// Its number.
    pub(crate) number: u32,
    /// How many of the changes before it were made here.
    pub(crate) own: u32,
}

/// The firewall of the network namespace that it was opened in.
#[derive(Debug)]
pub enum Firewall {
    /// As a table of nftables.
    Nftables(Nftables),
    /// As chains of `iptables`.
    Iptables(Iptables),
}

impl Firewall {
    /// The one whose rules are in the table `inet <table>`, or in chains named after it. Nothing is changed yet. Without a
    /// choice it is nftables if the kernel has it.
    ///
    /// # Errors
    /// Those of netlink.
    pub fn open(table: &str, choice: Option<Backend>) -> Result<Firewall> {
        match choice {
            Some(Backend::Nftables) => Nftables::open(table).map(Firewall::Nftables),
            Some(Backend::Iptables) => Ok(Firewall::Iptables(Iptables::new(table))),
            None => Ok(match Nftables::open(table).ok().and_then(Nftables::if_there) {
                Some(nftables) => Firewall::Nftables(nftables),
                None => Firewall::Iptables(Iptables::new(table)),
            }),
        }
    }

    /// Which one it is.
    pub fn backend(&self) -> Backend {
        match self {
            Firewall::Nftables(_) => Backend::Nftables,
            Firewall::Iptables(_) => Backend::Iptables,
        }
    }

    /// The number that the kernel gives its rules now; None where it does not number them.
    ///
    /// # Errors
    /// `System` when the kernel does not tell.
    pub(crate) fn generation(&mut self) -> Result<Option<Generation>> {
        match self {
            Firewall::Nftables(nftables) => nftables.generation().map(Some),
            Firewall::Iptables(_) => Ok(None),
        }
    }

    /// How many changes were made here that the kernel has numbered.
    pub(crate) fn own_changes(&self) -> u32 {
        match self {
            Firewall::Nftables(nftables) => nftables.own,
            Firewall::Iptables(_) => 0,
        }
    }

    /// Puts all rules there, in place of what there is of them, for all networks and what lives on them.
    ///
    /// # Errors
    /// `System` when the kernel refuses.
    pub fn replace(&mut self, registers: &[(&Network, &[Endpoint])]) -> Result<()> {
        match self {
            Firewall::Nftables(nftables) => nftables.replace(registers),
            Firewall::Iptables(iptables) => iptables.replace(registers),
        }
    }

    /// Removes everything, also what was put into chains of others.
    ///
    /// # Errors
    /// As [`Firewall::replace`].
    pub fn remove(&mut self, networks: &[&Network]) -> Result<()> {
        match self {
            Firewall::Nftables(nftables) => nftables.remove(networks),
            Firewall::Iptables(iptables) => iptables.remove(),
        }
    }

    /// Removes what a network needed. That it is not there is no error.
    ///
    /// # Errors
    /// As [`Firewall::replace`].
    pub fn remove_network(&mut self, network: &Network) -> Result<()> {
        zones::forget(network)?;
        match self {
            Firewall::Nftables(nftables) => nftables.remove_network(network),
            Firewall::Iptables(iptables) => iptables.remove_network(network),
        }
    }

    /// Takes back what was put into chains of others for networks on which nothing lives. Whoever starts a container finds that it
    /// is not there, and puts it there again.
    ///
    /// # Errors
    /// As [`Firewall::replace`].
    pub fn withdraw(&mut self, networks: &[&Network]) -> Result<()> {
        match self {
            Firewall::Nftables(nftables) => networks.iter().try_for_each(|network| nftables.dismiss(network)),
            Firewall::Iptables(iptables) => iptables.remove(),
        }
    }

    /// Lets ports of the host lead to a container. What they led to before is forgotten: who holds a port of the host, by a
    /// socket that is bound to it, says where it leads.
    ///
    /// # Errors
    /// With ENOENT if the rest is not there or not whole, which [`Firewall::replace`] puts right.
    pub fn publish(&mut self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        match self {
            Firewall::Nftables(nftables) => nftables.publish(network, endpoint),
            Firewall::Iptables(iptables) => iptables.publish(network, endpoint),
        }
    }

    /// Lets the ports of the host lead nowhere. That they do not is no error. The caller still holds them, or it would
    /// be another's that are forgotten.
    ///
    /// # Errors
    /// As [`Firewall::replace`].
    pub fn unpublish(&mut self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        match self {
            Firewall::Nftables(nftables) => nftables.unpublish(network, endpoint),
            Firewall::Iptables(iptables) => iptables.unpublish(network, endpoint),
        }
    }

    /// Whether the rules of these networks and the ports of these endpoints are there, and what is there without any network;
    /// nothing is said about other networks.
    ///
    /// # Errors
    /// `System` when the kernel does not tell.
    pub fn is_intact(&mut self, registers: &[(&Network, &[Endpoint])]) -> Result<bool> {
        match self {
            Firewall::Nftables(nftables) => nftables.is_intact(registers),
            Firewall::Iptables(iptables) => iptables.is_intact(registers),
        }
    }
}

/// Whether the kernel can lead a port of the host to a container of this address family: a packet for `::1` never leaves the host.
pub(crate) fn is_translated(published: &Published, endpoint: &Endpoint) -> bool {
    ports::is_translated(published, endpoint)
}
