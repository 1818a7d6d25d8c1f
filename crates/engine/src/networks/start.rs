//! Networks of a container that is about to start: addresses are leased here, and everything else is its supervisor's
//! (`net::attach`).

use std::net::IpAddr;

use net::attach::{Joining, Place, Plan, Resolver};
use net::lease::{Wish, lease};
use net::register::Locked;
use net::{Endpoint, Network, Realm};
use runtime::protocol::{Disconnect, Kind, NETWORK_NOTE};
use store::ContainerRecord;

use super::table;
use crate::config::network::{DEFAULT_NETWORK, IFNAME, SYSCTLS};
use crate::config::{Connection, ContainerConfig, Network as Mode};
use crate::containers::create::Created;
use crate::containers::etc_files::{self, Names, host_resolvers};
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::spec;

/// Docker's option of a network: what its interfaces are called in containers.
const INTERFACE_PREFIX: &str = "com.docker.network.container_iface_prefix";

/// What a container has of its networks before it starts.
#[derive(Debug)]
pub(crate) struct Leased {
    /// What its supervisor does.
    plan: Plan,
    /// What its files below /etc say.
    pub(crate) names: Names,
}

impl Leased {
    /// What its supervisor does, as it is sent to it.
    ///
    /// # Errors
    /// `Invalid` for a path that is not text.
    pub(crate) fn plan(&self) -> Result<serde_json::Value> {
        serde_json::to_value(&self.plan).map_err(|error| Error::invalid(format!("networks: {error}")))
    }

    /// Gives back what nobody has begun to use.
    ///
    /// # Errors
    /// As of [`Realm::release`].
    pub(crate) fn give_back(&self) -> Result<()> {
        Ok(self.plan.realm.release(&self.plan.container)?)
    }
}

impl Engine {
    /// The networks of this store on this host.
    ///
    /// # Errors
    /// `Invalid` for settings that are not understood.
    pub(crate) fn realm(&self) -> Result<Realm> {
        let firewall = super::settings::firewall()?;
        Ok(Realm { registers: self.paths().run_networks(), table: table(self.paths()), firewall })
    }

    /// Connects a container that runs to a further network.
    ///
    /// # Errors
    /// `Conflict` for addresses that are taken, or when it has ended meanwhile; `System` when the kernel refuses.
    pub(super) fn connect_live(&self, container: &Container, network: &Network, connection: &Connection) -> Result<()> {
        let id = container.record.id.hex();
        // Whose addresses are free only its supervisor does not know.
        self.collect_networks()?;
        let (interface, sysctls) = interface(network, connection, 0);
        let wish = wish(network, connection, &id, &container.record.name);
        let priority = connection.gateway_priority;
        let joining = Joining { network: network.clone(), wish, interface, priority, sysctls };
        self.ask(container, Kind::Connect, &joining)?;
        sys::fault::point("network: connected");
        self.tell_network(network, "connect", &[("container", &id)]);
        self.rewrite_names(container)
    }

    /// Takes a container that runs off a network.
    ///
    /// # Errors
    /// `Conflict` when it has ended meanwhile; `System` when the kernel refuses.
    pub(super) fn disconnect_live(&self, container: &Container, network: &Network) -> Result<()> {
        self.ask(container, Kind::Disconnect, &Disconnect { network: network.id.clone() })?;
        sys::fault::point("network: disconnected");
        self.tell_network(network, "disconnect", &[("container", &container.record.id.hex())]);
        self.rewrite_names(container)
    }

    /// The files of a running container follow from where it is now.
    fn rewrite_names(&self, container: &Container) -> Result<()> {
        let found = self.endpoints_of(&container.record.id)?;
        let places: Vec<(&Network, &Endpoint)> = found.iter().map(|(network, endpoint)| (network, endpoint)).collect();
        let networks: Vec<Network> = found.iter().map(|(network, _)| network.clone()).collect();
        let (_, answers) = resolver(&container.config, &networks);
        let names = self.names(&container.config, &places, answers)?;
        self.write_names(&container.record, &container.config, &names)
    }

    /// Leases addresses for a container that is about to start. None if it has no networks of its own.
    ///
    /// # Errors
    /// `NotFound` for a network that is gone, `Conflict` for an address in use.
    pub(crate) fn lease_networks(&self, created: &Created) -> Result<Option<Leased>> {
        let (Mode::Own(connections), id) = (&created.config.network, created.record.id.hex()) else { return Ok(None) };
        let default = [Connection::to(DEFAULT_NETWORK)];
        let connections = if connections.is_empty() { &default[..] } else { connections };
        let networks = connections.iter().map(|connection| self.network_of(created, connection));
        let networks: Vec<Network> = networks.collect::<Result<_>>()?;
        let realm = self.realm()?;
        let note = serde_json::to_string(&realm).map_err(|error| Error::invalid(format!("networks: {error}")))?;
        // Whoever finds the lock free from here on gives back what is leased.
        created.lock.note(&format!("{NETWORK_NOTE}{note}"))?;
        let leased = self.lease_all(created, realm.clone(), &networks, connections);
        if leased.is_err() {
            // The error that matters is why it is not started; what stays is found by its note.
            realm.release(&id).ok();
        }
        leased.map(Some)
    }

    /// The network of a connection, which may have been removed since.
    fn network_of(&self, created: &Created, connection: &Connection) -> Result<Network> {
        self.network(&connection.network).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                let (id, name) = (connection.network.get(..12).unwrap_or(&connection.network), created.name());
                error.with_hint(format!("the network was removed: phial network disconnect {id} {name}"))
            }
            _ => error,
        })
    }

    fn lease_all(
        &self,
        created: &Created,
        realm: Realm,
        networks: &[Network],
        connections: &[Connection],
    ) -> Result<Leased> {
        let (id, config) = (created.record.id.hex(), &created.config);
        let registers = realm.registers();
        let locked = registers.lock()?;
        let mut places = Vec::new();
        for (number, (network, connection)) in networks.iter().zip(connections).enumerate() {
            let endpoint = self.lease_one(&locked, &realm, network, connection, &id, &created.record.name)?;
            places.push(place(network, connection, endpoint, number));
        }
        drop(locked);
        sys::fault::point("start: addresses leased");
        let ports = self.ports(created, &places)?;
        let (resolver, answers) = resolver(config, networks);
        let on: Vec<(&Network, &Endpoint)> = places.iter().map(|place| (&place.network, &place.endpoint)).collect();
        let names = self.names(config, &on, answers)?;
        for network in networks {
            self.tell_network(network, "connect", &[("container", &id)]);
        }
        Ok(Leased { plan: Plan { realm, container: id, places, ports, resolver, answers }, names })
    }

    fn lease_one(
        &self,
        locked: &Locked<'_>,
        realm: &Realm,
        network: &Network,
        connection: &Connection,
        container: &str,
        name: &str,
    ) -> Result<Endpoint> {
        let wish = wish(network, connection, container, name);
        let leased = lease(locked, network, &wish, &|other| self.is_dead(other))?;
        if !leased.evicted.is_empty() {
            realm.bury(&locked.registers().all()?, network, &leased.evicted)?;
        }
        Ok(leased.endpoint)
    }

    /// What the container's files say about names.
    fn names(&self, config: &ContainerConfig, places: &[(&Network, &Endpoint)], answered: bool) -> Result<Names> {
        let of = |endpoint: &Endpoint| {
            endpoint.ipv4.map(IpAddr::V4).into_iter().chain(endpoint.ipv6.map(IpAddr::V6)).collect::<Vec<_>>()
        };
        let addresses = places.iter().flat_map(|(_, endpoint)| of(endpoint)).collect();
        let bridged = places.iter().find(|(network, _)| network.is_bridge());
        let pools = bridged.map(|(network, _)| network.pools.as_slice()).unwrap_or_default();
        let gateways = pools.iter().map(|pool| pool.gateway).collect();
        let mut linked = Vec::new();
        let of_connections = match &config.network {
            Mode::Own(connections) => connections.as_slice(),
            _ => &[],
        };
        for link in of_connections.iter().flat_map(|connection| &connection.links).chain(&config.links) {
            let other = self.container(&link.container)?;
            if !other.state.is_running() {
                let name = &other.record.name;
                return Err(Error::conflict(format!("cannot link to {name}: it is not running"))
                    .with_hint(format!("phial start {name}")));
            }
            let on_ours = |network: &Network| places.iter().any(|(own, _)| own.id == network.id);
            let found = self.endpoints_of(&other.record.id)?;
            for (_, endpoint) in found.iter().filter(|(network, _)| on_ours(network)) {
                let names = format!("{} {}", link.alias, other.record.name);
                linked.extend(of(endpoint).into_iter().map(|address| (address, names.clone())));
            }
        }
        Ok(Names { addresses, gateways, linked, answered })
    }

    /// Writes the container's files below /etc with what is known of its networks now.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write_names(&self, record: &ContainerRecord, config: &ContainerConfig, names: &Names) -> Result<()> {
        let bundle = self.bundle(record);
        let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let id = record.id.hex();
        etc_files::write(&bundle, config, spec::hostname(config, &id, &node), names)
    }
}

fn place(network: &Network, connection: &Connection, endpoint: Endpoint, number: usize) -> Place {
    let (interface, sysctls) = interface(network, connection, number);
    Place { network: network.clone(), endpoint, interface, priority: connection.gateway_priority, sysctls }
}

fn wish(network: &Network, connection: &Connection, container: &str, name: &str) -> Wish {
    let mut names = vec![name.to_owned()];
    if network.names {
        names.extend(connection.aliases.iter().cloned());
        names.push(container[..12].to_owned());
    }
    let (ipv4, ipv6, mac) = (connection.ipv4, connection.ipv6, connection.mac);
    Wish { container: container.to_owned(), names, ipv4, ipv6, mac }
}

/// The name and the parameters of an interface.
fn interface(network: &Network, connection: &Connection, number: usize) -> (String, Vec<(String, String)>) {
    let prefix = network.options.get(INTERFACE_PREFIX).map_or("eth", String::as_str);
    let interface = connection.options.get(IFNAME).cloned().unwrap_or_else(|| format!("{prefix}{number}"));
    let sysctls = connection.options.get(SYSCTLS).map(String::as_str).unwrap_or_default();
    (interface, sysctls.split(',').filter_map(sysctl).collect())
}

/// The path below `/proc/sys/net` and the value of a parameter of the interface.
fn sysctl(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=')?;
    Some((name.strip_prefix("net.")?.replace('.', "/"), value.to_owned()))
}

/// Whom names are asked that are no containers', and whether anybody answers in the container.
fn resolver(config: &ContainerConfig, networks: &[Network]) -> (Resolver, bool) {
    let given = &config.dns.servers;
    let of_host = host_resolvers();
    // The default network has no names. A server at the host's loopback address is not one of the container's.
    let needs_us = given.is_empty() && of_host.iter().any(IpAddr::is_loopback);
    let answers = needs_us || networks.iter().any(|network| network.names);
    (if given.is_empty() { Resolver::OfHost(of_host) } else { Resolver::Given(given.clone()) }, answers)
}
