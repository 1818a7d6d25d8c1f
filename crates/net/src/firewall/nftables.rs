//! The rules as one table of nftables. Each change is one transaction, in one datagram to the kernel.

use rustix::io::Errno;

use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::firewall::{Generation, compile, network, others, ports};
use crate::network::Network;
use crate::nft::{Batch, Element, Family, Scope, Socket, Table};

/// The table of the network namespace that it was opened in.
#[derive(Debug)]
pub struct Nftables {
    pub(super) socket: Socket,
    pub(super) table: String,
    /// How many changes were made here.
    pub(super) own: u32,
}

impl Nftables {
    /// The table `inet <table>`. Nothing is changed yet.
    pub(super) fn open(table: &str) -> Result<Nftables> {
        Ok(Nftables { socket: Socket::open()?, table: table.to_owned(), own: 0 })
    }

    /// This, if the kernel has nftables at all: without, it knows nothing of the question.
    pub(super) fn if_there(mut self) -> Option<Nftables> {
        self.socket.generation().is_ok().then_some(self)
    }

    pub(super) fn generation(&mut self) -> Result<Generation> {
        Ok(Generation { number: self.socket.generation()?, own: self.own })
    }

    /// Has the kernel make a change, as a whole.
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<()> {
        self.socket.commit(batch)?;
        self.own += u32::from(!batch.is_empty());
        Ok(())
    }

    /// Puts the whole table there, in place of what there is of it, for all networks and what lives on them.
    pub(super) fn replace(&mut self, registers: &[(&Network, &[Endpoint])]) -> Result<()> {
        let table = compile(&self.table, registers);
        let mut batch = Batch::new();
        // A table that is not there cannot be deleted; so it is added before.
        batch.add_table(&Table::new(Family::Inet, &self.table));
        batch.delete_table(self.scope());
        batch.add_whole_table(&table);
        batch.add_elements(self.scope(), others::MAP, &others::elements(&others::bridges()?));
        self.commit(&batch)?;
        self.admit(registers.iter().map(|(network, _)| *network))
    }

    /// Deletes the whole table, and what was put into chains of others.
    pub(super) fn remove(&mut self, networks: &[&Network]) -> Result<()> {
        let mut batch = Batch::new();
        batch.add_table(&Table::new(Family::Inet, &self.table));
        batch.delete_table(self.scope());
        self.commit(&batch)?;
        networks.iter().filter(|network| network.is_bridge()).try_for_each(|network| self.dismiss(network))
    }

    /// Removes what a network needed. That it is not there is no error.
    pub(super) fn remove_network(&mut self, network: &Network) -> Result<()> {
        if !network.is_bridge() {
            return Ok(());
        }
        match self.commit(&self.without(network, false)) {
            // Something of it is missing: all of it is added first. If that is not possible, the table is not there.
            Err(error) if error.errno() == Some(Errno::NOENT) => match self.commit(&self.without(network, true)) {
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
    /// With ENOENT if the table is not there or not whole, which [`Nftables::replace`] puts right.
    pub(super) fn publish(&mut self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        let elements = ports::elements(network, endpoint);
        match self.commit(&self.elements(&elements, Batch::add_elements)) {
            Err(error) if matches!(error.errno(), Some(Errno::EXIST | Errno::BUSY)) => {
                self.delete(&elements)?;
                self.commit(&self.elements(&elements, Batch::add_elements))
            }
            answer => answer,
        }
    }

    /// Lets the ports of the host lead nowhere. That they do not is no error. The caller still holds them, or it would
    /// be another's that are forgotten.
    pub(super) fn unpublish(&mut self, network: &Network, endpoint: &Endpoint) -> Result<()> {
        self.delete(&ports::elements(network, endpoint))
    }

    fn delete(&mut self, elements: &[(&'static str, Element)]) -> Result<()> {
        let missing = |error: &crate::Error| error.errno() == Some(Errno::NOENT);
        match self.commit(&self.elements(elements, Batch::delete_elements)) {
            Err(error) if missing(&error) => {}
            answer => return answer,
        }
        // One is not there, so none was deleted.
        for element in elements {
            match self.commit(&self.elements(std::slice::from_ref(element), Batch::delete_elements)) {
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
