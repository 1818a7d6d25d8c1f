//! What killed processes have left on networks, and its removal: addresses, names and ports of containers whose supervisor,
//! or who was about to start them, was killed; what the host has of networks whose rows are gone; names that containers had
//! before they were renamed; moves of containers that run that never came to their end.
//!
//! All of it is found in the registers, where it was noted before it was made. Commands that list containers or networks
//! collect it, as do those that make networks; who starts a container looks at some of the others on its networks.

use std::collections::HashMap;

use net::Network;
use net::register::Register;
use runtime::protocol::Kind;
use store::ContainerId;

use crate::config::ContainerConfig;
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::Result;

/// What is known of containers before the registers are looked at.
#[derive(Debug, Default)]
pub(crate) struct Known<'a> {
    /// What they are called.
    names: HashMap<ContainerId, &'a str>,
    /// Those of which it was seen that they live, and how they are configured.
    living: HashMap<ContainerId, &'a ContainerConfig>,
}

impl<'a> Known<'a> {
    /// What who lists containers has seen of them.
    pub(crate) fn of(containers: &'a [Container]) -> Known<'a> {
        let living = containers.iter().filter(|container| container.state.is_running());
        Known {
            names: containers.iter().map(|container| (container.record.id, container.record.name.as_str())).collect(),
            living: living.map(|container| (container.record.id, &container.config)).collect(),
        }
    }
}

/// What there is to collect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// Places on networks of containers that do not live.
    pub(crate) endpoints: usize,
    /// Networks without a row.
    pub(crate) networks: usize,
    /// Containers that are called there what they were called before.
    renamed: Vec<ContainerId>,
    /// Containers that live on networks that their rows do not name.
    moving: Vec<(ContainerId, Network)>,
}

impl Engine {
    /// Whether nobody answers for a container. Who starts it has its lock before he leases addresses.
    pub(crate) fn is_dead(&self, container: &str) -> bool {
        let Ok(id) = container.parse::<ContainerId>() else { return true };
        // What cannot be looked at lives.
        self.store.container_is_live(&id).is_ok_and(|live| !live)
    }

    /// Clears away what killed processes have left on networks. A register that cannot be read keeps nothing else from being
    /// looked at.
    ///
    /// # Errors
    /// `Store`; `System` when something of it cannot be removed.
    pub(crate) fn collect_networks(&self) -> Result<()> {
        let names = self.store.container_names()?;
        let names = names.iter().map(|(id, name)| (*id, name.as_str())).collect();
        self.collect_networks_but(&Known { names, ..Known::default() })
    }

    /// The same for somebody who has just looked at all containers.
    ///
    /// # Errors
    /// As of [`Engine::collect_networks`].
    pub(crate) fn collect_networks_but(&self, known: &Known<'_>) -> Result<()> {
        let left = self.network_leftovers(known)?;
        let mut result = Ok(());
        if left.endpoints > 0 {
            result = self.realm()?.collect(&|container| self.is_dead(container)).map_err(Into::into);
        }
        if left.networks > 0 {
            result = result.and(self.collect_rowless());
        }
        for id in left.renamed {
            result = result.and(self.rename_on_networks(&id));
        }
        for (id, network) in left.moving {
            result = result.and(self.finish_move(&id, &network));
        }
        result
    }

    /// What [`Engine::collect_networks`] would clear away. Without a lock: what is being made or removed may be among it.
    ///
    /// # Errors
    /// `Store`; `System` when the registers cannot be listed.
    pub(crate) fn network_leftovers(&self, known: &Known<'_>) -> Result<Leftovers> {
        let (registers, _) = self.registers().readable()?;
        if registers.is_empty() {
            return Ok(Leftovers::default());
        }
        let rows = self.store.networks()?;
        let mut left = Leftovers::default();
        for register in registers {
            let mut is_lived_on = false;
            for endpoint in &register.endpoints {
                let id: Option<ContainerId> = endpoint.container.parse().ok();
                let config = id.and_then(|id| known.living.get(&id));
                if config.is_none() && self.is_dead(&endpoint.container) {
                    left.endpoints += 1;
                    continue;
                }
                is_lived_on = true;
                let is_unknown = config.is_some_and(|config| !config.network.is_on(&register.network));
                left.moving.extend(id.filter(|_| is_unknown).map(|id| (id, register.network.clone())));
                left.renamed.extend(id.filter(|id| known.names.get(id).is_some_and(|name| !endpoint.is_called(name))));
            }
            let has_row = rows.iter().any(|row| row.id == register.network.id);
            left.networks += usize::from(!has_row && !is_lived_on);
        }
        Ok(left)
    }

    /// The networks that a container runs on, but for what the registers say: they were lost, or written by somebody else.
    ///
    /// # Errors
    /// `Store`; `System` for a register that cannot be read.
    pub(crate) fn unnoted_networks(&self, container: &Container) -> Result<Vec<Network>> {
        let has_networks = container.state.status().is_some_and(|status| status.network.is_some());
        if !has_networks {
            return Ok(Vec::new());
        }
        let on = self.endpoints_of(&container.record.id)?;
        let mut unnoted = self.networks()?;
        let is_noted = |network: &Network| on.iter().any(|(on, _)| on.id == network.id);
        unnoted.retain(|network| container.config.network.is_on(network) && !is_noted(network));
        Ok(unnoted)
    }

    /// Has the supervisor of a container write down where the container is.
    ///
    /// # Errors
    /// `Conflict` when it has ended meanwhile; `System`.
    pub(crate) fn note_networks(&self, container: &Container) -> Result<()> {
        self.ask(container, Kind::Note, &()).map(drop)
    }

    /// Removes what the host has of networks that have no row, and on which nothing lives. Who removes one does so with the same
    /// lock in hand, and who makes one has written the row before.
    fn collect_rowless(&self) -> Result<()> {
        let registers = self.registers();
        let locked = registers.lock()?;
        let rows = self.store.networks()?;
        let has_row = |network: &Network| rows.iter().any(|row| row.id == network.id);
        let is_left = |register: &Register| !has_row(&register.network) && !self.is_lived_on(register);
        for register in registers.readable()?.0.iter().filter(|register| is_left(register)) {
            self.realm()?.remove_network(&locked, &register.network)?;
        }
        Ok(())
    }

    /// With the database lost, its containers may still live.
    pub(crate) fn is_lived_on(&self, register: &Register) -> bool {
        register.endpoints.iter().any(|endpoint| !self.is_dead(&endpoint.container))
    }

    /// Has a container called by its name on all its networks: by those who ask for addresses, from now on.
    ///
    /// # Errors
    /// Those of the registers.
    pub(crate) fn rename_on_networks(&self, id: &ContainerId) -> Result<()> {
        let container = id.hex();
        let registers = self.registers();
        let is_on = |register: &Register| register.of_container(&container).is_some();
        if !registers.readable()?.0.iter().any(is_on) {
            return Ok(());
        }
        let locked = registers.lock()?;
        // Another may have renamed it meanwhile: with the lock in hand the last one finds the last name.
        let name = self.store.find_container(&container)?.name;
        for register in registers.readable()?.0.iter().filter(|register| is_on(register)) {
            locked.change(&register.network.id, |register| {
                let mut own = register.endpoints.iter_mut().filter(|endpoint| endpoint.container == container);
                let first = own.next().and_then(|endpoint| endpoint.names.first_mut());
                first.filter(|first| **first != name).map(|first| first.clone_from(&name)).is_some()
            })?;
        }
        Ok(())
    }
}
