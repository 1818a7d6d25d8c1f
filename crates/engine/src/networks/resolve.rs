//! What a container's configuration names, looked up: ids in the place of names of networks, and of containers it links to.

use net::{Network, lease};

use crate::config::network::check_default;
use crate::config::{Connection, ContainerConfig, Network as Mode};
use crate::engine::Engine;
use crate::error::{Error, Result};

impl Engine {
    /// The configuration with ids in the place of names of networks, all of which have the addresses that are asked for.
    ///
    /// # Errors
    /// `NotFound` for a network or a container that is not there; `Invalid` for an address that is none of the network.
    pub(crate) fn with_ids_of_networks(&self, mut config: ContainerConfig) -> Result<ContainerConfig> {
        if let Mode::Own(connections) = &mut config.network {
            for connection in connections.iter_mut() {
                let network = self.network_asked(&connection.network)?;
                check(connection, &network)?;
                connection.network = network.id;
            }
            for (number, connection) in connections.iter().enumerate() {
                if connections[..number].iter().any(|other| other.network == connection.network) {
                    let name = self.network(&connection.network)?.name;
                    return Err(Error::invalid(format!("network {name} is specified multiple times")));
                }
            }
        }
        for link in &mut config.links {
            let linked = self.container(&link.container);
            let linked =
                linked.map_err(|error| Error::new(error.kind(), format!("--link {}: {error}", link.container)))?;
            link.container = linked.record.id.hex();
        }
        Ok(config)
    }

    fn network_asked(&self, name: &str) -> Result<Network> {
        self.network(name).map_err(|error| {
            let own = Error::new(error.kind(), format!("--network {name}: {error}"));
            let hint = error.hint().filter(|hint| hint.starts_with("did you mean"));
            own.with_hint(hint.map_or_else(|| format!("phial network create {name}"), str::to_owned))
        })
    }
}

/// Whether a network has what is asked of it.
///
/// # Errors
/// `Invalid`, naming the address and the subnet.
pub(super) fn check(connection: &Connection, network: &Network) -> Result<()> {
    check_default(&Connection { network: network.name.clone(), ..connection.clone() })?;
    let asked = |flag, ipv4, ipv6| {
        lease::check(network, ipv4, ipv6).map_err(|error| {
            let error = Error::from(error);
            Error::new(error.kind(), format!("{flag}: {error}"))
        })
    };
    asked("--ip", connection.ipv4, None)?;
    asked("--ip6", None, connection.ipv6)
}
