//! Networks of a container that is about to start: addresses are leased here, and everything else is its supervisor's
//! (`net::attach`).

use std::net::IpAddr;

use net::attach::{Joining, Place, Plan, Resolver};
use net::lease::Wish;
use net::{Endpoint, Network, Realm};
use runtime::protocol::{Disconnect, Kind, NETWORK_NOTE};
use store::ContainerRecord;

use super::table;
use crate::config::network::{DEFAULT_NETWORK, IFNAME, SYSCTLS};
use crate::config::{Connection, ContainerConfig, Link, Network as Mode};
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
    /// `NotFound` when the network has been removed meanwhile; `Conflict` for addresses that are taken, or when the container
    /// has ended; `System` when the kernel refuses.
    pub(super) fn connect_live(&self, container: &Container, network: &Network, connection: &Connection) -> Result<()> {
        let id = container.record.id.hex();
        // Whose addresses are free only its supervisor does not know. If they are not needed, nobody has to know it.
        self.collect_networks().ok();
        let realm = self.realm()?;
        let registers = realm.registers();
        let locked = registers.lock()?;
        // Who removes a network does so with the same lock in hand. The supervisor, which knows nothing of rows, leases no
        // address of a network without a register.
        self.store.network(&network.id)?;
        realm.make_network(&locked, network)?;
        drop(locked);
        let (interface, sysctls) = interface(network, connection, 0);
        let wish = wish(network, connection, &id, &container.record.name);
        let priority = connection.gateway_priority;
        let joining = Joining { network: network.clone(), wish, interface, priority, sysctls };
        self.ask(container, Kind::Connect, &joining)?;
        sys::fault::point("network: connected");
        self.tell_network(network, "connect", &[("container", &id)]);
        Ok(())
    }

    /// Takes a container that runs off a network.
    ///
    /// # Errors
    /// `Conflict` when it has ended meanwhile; `System` when the kernel refuses.
    pub(super) fn disconnect_live(&self, container: &Container, network: &Network) -> Result<()> {
        self.ask(container, Kind::Disconnect, &Disconnect { network: network.id.clone() })?;
        sys::fault::point("network: disconnected");
        self.tell_network(network, "disconnect", &[("container", &container.record.id.hex())]);
        Ok(())
    }

    /// Writes the files of a running container below /etc anew, which follow from its configuration and from where it is now.
    ///
    /// # Errors
    /// Those of the registers and of the file system.
    pub(super) fn rewrite_names(&self, record: &ContainerRecord, config: &ContainerConfig) -> Result<()> {
        let mut found = self.endpoints_of(&record.id)?;
        let connections = config.network.connections();
        found.sort_by_key(|(network, _)| connections.iter().position(|connection| connection.network == network.id));
        let on: Vec<(&Network, &Endpoint)> = found.iter().map(|(network, endpoint)| (network, endpoint)).collect();
        self.write_names(record, config, &self.names(config, &on, resolver(config).1)?)
    }

    /// Leases addresses for a container that is about to start. None if it has no networks of its own.
    ///
    /// # Errors
    /// `NotFound` for a network that is gone, `Conflict` for an address in use.
    pub(crate) fn lease_networks(&self, created: &Created) -> Result<Option<Leased>> {
        let (Mode::Own(connections), id) = (&created.config.network, created.record.id.hex()) else { return Ok(None) };
        self.linked_run(&created.config)?;
        let default = [Connection::to(DEFAULT_NETWORK)];
        let connections = if connections.is_empty() { &default[..] } else { connections };
        let networks = connections.iter().map(|connection| {
            self.network(&connection.network).map_err(|error| removed(error, &connection.network, created))
        });
        let networks: Vec<Network> = networks.collect::<Result<_>>()?;
        let realm = self.realm()?;
        let note = serde_json::to_string(&realm).map_err(|error| Error::invalid(format!("networks: {error}")))?;
        // Whoever finds the lock free from here on gives back what is leased.
        created.lock.note(&format!("{NETWORK_NOTE}{note}"))?;
        let leased = self.lease_all(created, realm.clone(), networks, connections);
        if leased.is_err() {
            // The error that matters is why it is not started; what stays is found by its note.
            realm.release(&id).ok();
        }
        leased.map(Some)
    }

    fn lease_all(
        &self,
        created: &Created,
        realm: Realm,
        networks: Vec<Network>,
        connections: &[Connection],
    ) -> Result<Leased> {
        let (container, config, name) = (created.record.id.hex(), &created.config, &created.record.name);
        let registers = realm.registers();
        let locked = registers.lock()?;
        let mut places = Vec::new();
        for (number, (network, connection)) in networks.into_iter().zip(connections).enumerate() {
            if !registers.path(&network.id).exists() {
                // Nothing has lived on it since the boot, or it has been removed since it was looked up.
                self.store.network(&network.id).map_err(|error| removed(error.into(), &network.id, created))?;
            }
            let wish = wish(&network, connection, &container, name);
            let endpoint = realm.lease(&locked, &network, &wish, &|other| self.is_dead(other))?;
            let (interface, sysctls) = interface(&network, connection, number);
            places.push(Place { network, endpoint, interface, priority: connection.gateway_priority, sysctls });
        }
        drop(locked);
        sys::fault::point("start: addresses leased");
        let (resolver, always_answers) = resolver(config);
        let plan = Plan { realm, container, places, ports: self.ports(created)?, resolver, always_answers };
        let on: Vec<_> = plan.places.iter().map(|place| (&place.network, &place.endpoint)).collect();
        let names = self.names(config, &on, always_answers)?;
        for place in &plan.places {
            self.tell_network(&place.network, "connect", &[("container", &plan.container)]);
        }
        Ok(Leased { plan, names })
    }

    /// What the container's files say about names.
    fn names(
        &self,
        config: &ContainerConfig,
        places: &[(&Network, &Endpoint)],
        always_answered: bool,
    ) -> Result<Names> {
        let of = |endpoint: &Endpoint| {
            endpoint.ipv4.map(IpAddr::V4).into_iter().chain(endpoint.ipv6.map(IpAddr::V6)).collect::<Vec<_>>()
        };
        let addresses = places.iter().flat_map(|(_, endpoint)| of(endpoint)).collect();
        let bridged = places.iter().find(|(network, _)| network.is_bridge());
        let pools = bridged.map(|(network, _)| network.pools.as_slice()).unwrap_or_default();
        let gateways = pools.iter().map(|pool| pool.gateway).collect();
        let mut linked = Vec::new();
        for link in links(config) {
            // One that is gone meanwhile has no address.
            let Ok(other) = self.store.find_container(&link.container) else { continue };
            let on_ours = |network: &Network| places.iter().any(|(own, _)| own.id == network.id);
            let found = self.endpoints_of(&other.id)?;
            for (_, endpoint) in found.iter().filter(|(network, _)| on_ours(network)) {
                let names = format!("{} {}", link.alias, other.name);
                linked.extend(of(endpoint).into_iter().map(|address| (address, names.clone())));
            }
        }
        let answered = always_answered || places.iter().any(|(network, _)| network.names);
        Ok(Names { addresses, gateways, linked, answered })
    }

    /// Refuses a configuration with links to containers that do not run.
    fn linked_run(&self, config: &ContainerConfig) -> Result<()> {
        for link in links(config) {
            let other = self.container(&link.container)?;
            if !other.state.is_running() {
                let name = &other.record.name;
                return Err(Error::conflict(format!("cannot link to {name}: it is not running"))
                    .with_hint(format!("phial start {name}")));
            }
        }
        Ok(())
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

/// Says what to do about a network that is gone.
fn removed(error: Error, network: &str, created: &Created) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            let (id, name) = (network.get(..12).unwrap_or(network), created.name());
            error.with_hint(format!("the network was removed: phial network disconnect {id} {name}"))
        }
        _ => error,
    }
}

/// All links of a container, those of its networks as well.
fn links(config: &ContainerConfig) -> impl Iterator<Item = &Link> {
    config.network.connections().iter().flat_map(|connection| &connection.links).chain(&config.links)
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

/// Whom names are asked that are no containers', and whether somebody has to answer in the container whatever its networks
/// are: a server at the host's loopback address is not one of the container's.
fn resolver(config: &ContainerConfig) -> (Resolver, bool) {
    let given = &config.dns.servers;
    if !given.is_empty() {
        return (Resolver::Given(given.clone()), false);
    }
    let of_host = host_resolvers();
    let needs_us = of_host.iter().any(IpAddr::is_loopback);
    (Resolver::OfHost(of_host), needs_us)
}
