//! What the firewall has to say about networks, and putting it into the kernel.
//!
//! All of it is one table of nftables, which [`compile`] computes from networks and their endpoints alone. [`Firewall`] puts it
//! there whole, or changes what one network or one container adds; either is one transaction. Others may flush it at any time
//! (`nft flush ruleset`): whoever starts a container asks whether it [is intact](Firewall::is_intact), and if not puts it
//! there [anew](Firewall::replace).
//!
//! A packet passes these chains of the table:
//!
//! | chain | hook | what it decides |
//! |---|---|---|
//! | `loopback-guard` | prerouting, before connection tracking | what comes from a bridge has nothing to do with 127.0.0.0/8 (CVE-2020-8558) |
//! | `prerouting`, `output` | translation of destinations | a port of this host that is published leads to its container |
//! | `forward` | forward | what may come to a bridge, and what may leave one |
//! | `postrouting` | translation of sources | who comes from a container has this host's address outside |
//!
//! Packets that have nothing to do with our bridges cost one lookup in `forward`, and the first of each connection a few more; no rule
//! decides about them. What is looked up are maps, so more networks and more ports do not cost more.

/// The whole table, computed.
mod compile;
/// Whether the kernel has what it should.
mod intact;
/// Chains of others that would drop our packets.
mod neighbours;
/// What one network adds.
mod network;
/// Expressions of rules, phrase by phrase.
mod phrase;
/// What a published port adds.
mod ports;
#[cfg(test)]
mod tests;

pub use compile::compile;

use rustix::io::Errno;

use crate::endpoint::{Endpoint, Published};
use crate::error::Result;
use crate::network::Network;
use crate::nft::{Batch, Element, Family, Scope, Socket, Table};

/// The firewall of the network namespace that it was opened in.
#[derive(Debug)]
pub struct Firewall {
    socket: Socket,
    table: String,
}

impl Firewall {
    /// The one whose rules are in the table `inet <table>`. Nothing is changed yet.
    pub fn open(table: &str) -> Result<Firewall> {
        Ok(Firewall { socket: Socket::open()?, table: table.to_owned() })
    }

    /// Puts the whole table there, in place of what there is of it, for all networks and what lives on them.
    pub fn replace(&mut self, registers: &[(&Network, &[Endpoint])]) -> Result<()> {
        let table = compile(&self.table, registers);
        let mut batch = Batch::new();
        // A table that is not there cannot be deleted; so it is added before.
        batch.add_table(&Table::new(Family::Inet, &self.table));
        batch.delete_table(self.scope());
        batch.add_whole_table(&table);
        self.socket.commit(&batch)?;
        self.admit(registers.iter().map(|(network, _)| *network))
    }

    /// Deletes the whole table, and what was put into chains of others.
    pub fn remove(&mut self, networks: &[&Network]) -> Result<()> {
        let mut batch = Batch::new();
        batch.add_table(&Table::new(Family::Inet, &self.table));
        batch.delete_table(self.scope());
        self.socket.commit(&batch)?;
        networks.iter().filter(|network| network.is_bridge()).try_for_each(|network| self.dismiss(network))
    }

    /// Adds what a network needs; if it is there already, puts it right.
    ///
    /// # Errors
    /// With ENOENT if the table is not there or not whole, which [`Firewall::replace`] puts right.
    pub fn add_network(&mut self, network: &Network) -> Result<()> {
        if !network.is_bridge() {
            return Ok(());
        }
        let table = self.table.clone();
        let scope = Scope { family: Family::Inet, table: &table };
        let mut batch = Batch::new();
        for chain in network::chains(network) {
            batch.add_chain(scope, &chain);
            batch.flush_chain(scope, &chain.name);
            for rule in &chain.rules {
                batch.add_rule(scope, &chain.name, rule, crate::nft::Position::Last);
            }
        }
        for (set, element) in network::elements(network) {
            batch.add_elements(scope, set, &[element]);
        }
        self.socket.commit(&batch)?;
        self.admit(std::iter::once(network))
    }

    /// Removes what a network needed. That it is not there is no error.
    pub fn remove_network(&mut self, network: &Network) -> Result<()> {
        if !network.is_bridge() {
            return Ok(());
        }
        match self.socket.commit(&self.without(network, false)) {
            // Something of it is missing: all of it is added first. If that is not possible, the table is not there.
            Err(error) if error.errno() == Some(Errno::NOENT) => match self.socket.commit(&self.without(network, true))
            {
                Err(error) if error.errno() == Some(Errno::NOENT) => {}
                answer => answer?,
            },
            answer => answer?,
        }
        self.dismiss(network)
    }

    fn without(&self, network: &Network, add_first: bool) -> Batch {
        let (mut batch, scope, chains) = (Batch::new(), self.scope(), network::chains(network));
        if add_first {
            for chain in &chains {
                batch.add_chain(scope, chain);
            }
        }
        for (set, element) in network::elements(network) {
            if add_first {
                batch.add_elements(scope, set, std::slice::from_ref(&element));
            }
            batch.delete_elements(scope, set, &[element]);
        }
        for chain in chains {
            batch.flush_chain(scope, &chain.name);
            batch.delete_chain(scope, &chain.name);
        }
        batch
    }

    /// Lets ports of the host lead to a container. What they led to before is forgotten: who holds a port of the host, by a
    /// socket that is bound to it, says where it leads.
    ///
    /// # Errors
    /// With ENOENT if the table is not there or not whole.
    pub fn publish(&mut self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        let elements = ports::elements(network, endpoint);
        match self.socket.commit(&self.elements(&elements, Batch::add_elements)) {
            Err(error) if matches!(error.errno(), Some(Errno::EXIST | Errno::BUSY)) => {
                self.delete(&elements)?;
                self.socket.commit(&self.elements(&elements, Batch::add_elements))
            }
            answer => answer,
        }
    }

    /// Lets the ports of the host lead nowhere. That they do not is no error. The caller still holds them, or it would
    /// be another's that are forgotten.
    pub fn unpublish(&mut self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        self.delete(&ports::elements(network, endpoint))
    }

    fn delete(&mut self, elements: &[(&'static str, Element)]) -> Result<()> {
        let missing = |error: &crate::Error| error.errno() == Some(Errno::NOENT);
        match self.socket.commit(&self.elements(elements, Batch::delete_elements)) {
            Err(error) if missing(&error) => {}
            answer => return answer,
        }
        // One is not there, so none was deleted.
        for element in elements {
            match self.socket.commit(&self.elements(std::slice::from_ref(element), Batch::delete_elements)) {
                Err(error) if missing(&error) => {}
                answer => answer?,
            }
        }
        Ok(())
    }

    fn elements(
        &self,
        elements: &[(&'static str, Element)],
        change: for<'a, 'b, 'c, 'd> fn(&'a mut Batch, Scope<'b>, &'c str, &'d [Element]) -> &'a mut Batch,
    ) -> Batch {
        let mut batch = Batch::new();
        for (set, element) in elements {
            change(&mut batch, self.scope(), set, std::slice::from_ref(element));
        }
        batch
    }

    fn scope(&self) -> Scope<'_> {
        Scope { family: Family::Inet, table: &self.table }
    }
}

/// Whether the kernel can lead a port of the host to a container of this address family: a packet for `::1` never leaves the host.
pub fn is_translated(published: &Published, endpoint: &Endpoint) -> bool {
    ports::is_translated(published, endpoint)
}
