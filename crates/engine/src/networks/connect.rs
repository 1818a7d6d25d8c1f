//! Containers that come to a network, or leave it. Of one that does not run, only its configuration changes.

use serde::Deserialize;

use super::{Predefined, resolve};
use crate::config::{Connection, ContainerConfig, Network as Mode};
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

/// What `network connect` asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// What the container is on the network; the name of the network in it does not count.
    pub connection: Connection,
}

impl Engine {
    /// Connects a container to a network. One that runs is on it at once.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when it is on it, or shares the network of somebody else; `Invalid` for addresses that the
    /// network does not have.
    pub fn connect_network(&self, key: &str, container: &Container, options: &ConnectOptions) -> Result<()> {
        let name = &container.record.name;
        if let Some(network) = Predefined::find(key) {
            let network = network.name();
            return Err(Error::invalid(format!("container {name} cannot be connected to {network}: it is no network"))
                .with_hint(format!("create the container with it: phial run --network {network}")));
        }
        let network = self.network(key)?;
        let mut connection = options.connection.clone();
        resolve::check(&connection, &network)?;
        connection.network.clone_from(&network.id);
        for link in &mut connection.links {
            link.container = self.container(&link.container)?.record.id.hex();
        }
        let container = &*self.settled(container)?;
        let default = self.default_network()?.id;
        let with = |config: &ContainerConfig| {
            let mut connections = connections(config, &default)?;
            if connections.iter().any(|known| known.network == network.id) {
                let message = format!("endpoint with name {name} already exists in network {}", network.name);
                return Err(Error::conflict(message));
            }
            connections.push(connection.clone());
            Ok(Mode::Own(connections))
        };
        // Refused before anything is done; and once more with the row in hand.
        with(&container.config)?;
        if !container.state.is_running() {
            return self.change_networks(container, with).map(drop);
        }
        let _moving = self.begin_move()?;
        self.connect_live(container, &network, &connection)?;
        let config = self.change_networks(container, with)?;
        self.rewrite_names(&container.record, &config)
    }

    /// Takes a container off a network. One that runs has left it at once. `force` also where it is not known that it is
    /// on it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when it is not on it.
    pub fn disconnect_network(&self, key: &str, container: &Container, force: bool) -> Result<()> {
        let name = &container.record.name;
        if let Some(network) = Predefined::find(key) {
            let network = network.name();
            return Err(Error::invalid(format!("container {name} cannot be disconnected from {network}"))
                .with_hint("create it anew with another --network"));
        }
        let network = match self.network(key) {
            Err(error) if error.kind() == ErrorKind::NotFound && container.config.network.names(key) => {
                return self.change_networks(container, |config| Ok(without_gone(config, key))).map(drop);
            }
            other => other?,
        };
        let container = &*self.settled(container)?;
        let default = self.default_network()?.id;
        let is_on = self.endpoints_of(&container.record.id)?.iter().any(|(on, _)| on.id == network.id);
        let without = |config: &ContainerConfig| {
            let mut connections = connections(config, &default)?;
            let before = connections.len();
            connections.retain(|known| known.network != network.id);
            match connections.len() {
                // Who connected it was killed before he had noted that.
                after if after == before && (force || is_on) => Ok(config.network.clone()),
                after if after == before => {
                    Err(Error::conflict(format!("container {name} is not connected to network {}", network.name)))
                }
                // Without any it has its loopback interface and nothing else.
                0 => Ok(Mode::None),
                _ => Ok(Mode::Own(connections)),
            }
        };
        if !container.state.is_running() {
            return self.change_networks(container, without).map(drop);
        }
        let _moving = self.begin_move()?;
        // The row first: killed in between, it is on more networks than its row says, and never on fewer.
        let config = self.change_networks(container, without)?;
        sys::fault::point("network: connection forgotten");
        self.disconnect_live(container, &network)?;
        self.rewrite_names(&container.record, &config)
    }

    /// Writes down which networks a container is on. Returns its configuration as it is now.
    fn change_networks(
        &self,
        container: &Container,
        change: impl FnOnce(&ContainerConfig) -> Result<Mode>,
    ) -> Result<ContainerConfig> {
        let changed = self.store.change_container(&container.record.id, |row| {
            let unreadable = |error| Error::new(ErrorKind::Store, format!("its configuration: {error}"));
            let mut config = ContainerConfig::deserialize(&*row).map_err(unreadable)?;
            config.network = change(&config)?;
            *row = config.stored();
            Ok::<_, Error>(config)
        });
        changed?
    }
}

/// The networks of a configuration without one that is gone: that kept the container from being started.
fn without_gone(config: &ContainerConfig, id: &str) -> Mode {
    let Mode::Own(connections) = &config.network else { return config.network.clone() };
    let left: Vec<Connection> = connections.iter().filter(|known| known.network != id).cloned().collect();
    if left.is_empty() { Mode::None } else { Mode::Own(left) }
}

/// The networks of a configuration, the default one as well, by their ids.
fn connections(config: &ContainerConfig, default: &str) -> Result<Vec<Connection>> {
    match &config.network {
        Mode::None => Ok(Vec::new()),
        Mode::Own(connections) if connections.is_empty() => Ok(vec![Connection::to(default)]),
        Mode::Own(connections) => Ok(connections.clone()),
        Mode::Host | Mode::Container(_) => Err(Error::conflict(
            "container sharing network namespace with another container or host cannot be connected to any other network",
        )),
    }
}
