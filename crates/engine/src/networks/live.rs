//! What lives on networks now: the registers, read.

use std::collections::HashMap;

use net::register::Registers;
use net::{Endpoint, Network, Published};
use store::ContainerId;

use crate::config::network::DEFAULT_NETWORK;
use crate::config::{ContainerConfig, Network as Mode};
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::Result;
use crate::networks::ports::Ports;

/// What all containers have on all networks at one instant, and what networks are called.
#[derive(Debug, Default)]
pub(crate) struct Live {
    networks: Vec<Network>,
    /// By the ids of containers: which of the networks, and the place on it.
    endpoints: HashMap<String, Vec<(usize, Endpoint)>>,
    /// Names of networks by their ids.
    names: HashMap<String, String>,
}

impl Engine {
    /// The registers of this store's networks.
    pub(crate) fn registers(&self) -> Registers {
        Registers::new(self.paths().run_networks())
    }

    /// What lives on a network. What a killed supervisor has left does not.
    ///
    /// # Errors
    /// `System` for a register that cannot be read.
    pub(crate) fn live_endpoints(&self, network: &Network) -> Result<Vec<Endpoint>> {
        let register = self.registers().read(&network.id)?;
        let mut endpoints = register.map(|register| register.endpoints).unwrap_or_default();
        endpoints.retain(|endpoint| !self.is_dead(&endpoint.container));
        Ok(endpoints)
    }

    /// The networks that a container is on now, in the order of their ids, and its place on each.
    ///
    /// # Errors
    /// `System` for a register that cannot be read.
    pub(crate) fn endpoints_of(&self, id: &ContainerId) -> Result<Vec<(Network, Endpoint)>> {
        if self.is_dead(&id.hex()) {
            return Ok(Vec::new());
        }
        let hex = id.hex();
        let mut found = Vec::new();
        // One of another network that is damaged is no reason not to know where the container is.
        for mut register in self.registers().readable()?.0 {
            let at = register.endpoints.iter().position(|endpoint| endpoint.container == hex);
            if let Some(at) = at {
                found.push((register.network, register.endpoints.swap_remove(at)));
            }
        }
        Ok(found)
    }

    /// Where ports of a container are published now, by port.
    ///
    /// # Errors
    /// `System` for a register that cannot be read.
    pub fn published_ports(&self, container: &Container) -> Result<Vec<Published>> {
        let endpoints = self.endpoints_of(&container.record.id)?;
        Ok(Ports::new(endpoints.iter().map(|(_, endpoint)| endpoint), std::iter::empty()).published)
    }

    /// All of it, for lists. A register that cannot be read takes nothing from the list but what it says.
    pub(crate) fn live(&self) -> Live {
        let names = self.store.networks().unwrap_or_default();
        let mut live =
            Live { names: names.into_iter().map(|network| (network.id, network.name)).collect(), ..Live::default() };
        for register in self.registers().readable().unwrap_or_default().0 {
            let at = live.networks.len();
            live.networks.push(register.network);
            for endpoint in register.endpoints {
                live.endpoints.entry(endpoint.container.clone()).or_default().push((at, endpoint));
            }
        }
        live
    }
}

impl Live {
    /// The networks that a container is on, and its place on each.
    pub(crate) fn of(&self, id: &ContainerId) -> Vec<(&Network, &Endpoint)> {
        let found = self.endpoints.get(&id.hex()).map(Vec::as_slice).unwrap_or_default();
        found.iter().map(|(at, endpoint)| (&self.networks[*at], endpoint)).collect()
    }

    /// Names of the networks that a configuration says, as `ps` shows them.
    pub(crate) fn names(&self, config: &ContainerConfig) -> Vec<String> {
        match &config.network {
            Mode::Own(connections) if connections.is_empty() => vec![DEFAULT_NETWORK.to_owned()],
            Mode::Own(connections) => {
                connections.iter().map(|connection| self.name(&connection.network).to_owned()).collect()
            }
            other => vec![other.to_string()],
        }
    }

    /// What a network is called; its id when it is gone.
    pub(crate) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }
}
