//! Networks: made, found, listed, removed, and which containers are on them.
//!
//! What a network is, is a row of the store; what lives on it is in its register ([`net::register`]). Its bridge comes into
//! being with it, and after a boot with the first container on it.
//!
//! There are two without a row, `host` and `none`, and one whose row is made by itself: the default network.

/// What killed processes have left on networks.
pub(crate) mod collect;
/// Containers that come to a network, or leave it.
mod connect;
/// From what was asked for to a definition.
mod define;
/// The JSON of `network inspect`.
mod inspect;
/// What the kernel has to be told of networks that are in use.
mod kernel;
/// Which networks `network ls` lists.
mod list;
/// What lives on networks now.
pub(crate) mod live;
/// Containers that run and come to a network, or leave it.
mod moving;
/// Options of drivers.
mod options;
/// Ports as `ps` and `port` show them.
pub(crate) mod ports;
/// Ports of the host that lead to containers.
mod publish;
/// Networks that go.
mod remove;
/// What a configuration names, looked up.
mod resolve;
/// What the administrator of this host says.
mod settings;
/// What a container has of its networks before it starts.
pub(crate) mod start;
/// Subnets that are free.
mod subnets;
/// Which packet `network trace` follows.
mod trace;

use std::collections::BTreeMap;

use net::Network;
use net::link::Links;
use serde::Deserialize;
use store::{ContainerId, Digest, NetworkRecord, Paths};

use crate::config::network::DEFAULT_NETWORK;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{Event, Type};
use crate::networks::define::{Facts, define};
use crate::words::ago;
use notation::similar;

pub use connect::ConnectOptions;
pub use list::{NETWORK_FILTERS, NetworkSummary};
pub use remove::NETWORK_PRUNE_FILTERS;
pub use trace::TraceOptions;

/// What `network create` asks for, in docker's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Its name.
    pub name: String,
    /// `--driver`; `bridge` otherwise.
    pub driver: Option<String>,
    /// `--internal`: nothing outside can be reached.
    pub internal: bool,
    /// `--ipv4`: whether it has addresses of IPv4; yes otherwise.
    pub ipv4: Option<bool>,
    /// `--ipv6`: whether it has addresses of IPv6; otherwise yes, if it is a bridge and the host has IPv6.
    pub ipv6: Option<bool>,
    /// `--subnet`, at most one of each family; one that is free otherwise.
    pub subnets: Vec<String>,
    /// `--ip-range`: the part of a subnet that containers get addresses from.
    pub ranges: Vec<String>,
    /// `--gateway`.
    pub gateways: Vec<String>,
    /// `--aux-address`: `NAME=ADDRESS`.
    pub aux: Vec<String>,
    /// `--opt`.
    pub options: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
}

/// A network without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Predefined {
    Host,
    None,
}

impl Predefined {
    const ALL: [Predefined; 2] = [Predefined::Host, Predefined::None];

    /// The one with this name or id.
    fn find(key: &str) -> Option<Predefined> {
        Predefined::ALL.into_iter().find(|network| network.name() == key || network.id() == key)
    }

    fn name(self) -> &'static str {
        match self {
            Predefined::Host => "host",
            Predefined::None => "none",
        }
    }

    fn driver(self) -> &'static str {
        match self {
            Predefined::Host => "host",
            Predefined::None => "null",
        }
    }

    /// The same in every store: nothing of it can be changed.
    fn id(self) -> String {
        Digest::of(format!("network {}", self.name()).as_bytes()).hex()
    }
}

impl Engine {
    /// Makes a network.
    ///
    /// # Errors
    /// `Invalid` for what cannot be, `Conflict` for a name or a subnet in use, `Unsupported` for other drivers.
    pub fn create_network(&self, config: &NetworkConfig) -> Result<Network> {
        if config.name == "default" || config.name == DEFAULT_NETWORK || Predefined::find(&config.name).is_some() {
            let message = format!("operation is not permitted on predefined {} network", config.name);
            return Err(Error::invalid(message).with_hint("use another name"));
        }
        // Its subnet may be that of one that is half removed.
        self.collect_networks()?;
        // It has the first subnet, whoever comes first.
        self.default_network()?;
        let network = self.insert_network(&config.name, |facts| define(config, facts))?;
        self.tell_network(&network, "create", &[]);
        Ok(network)
    }

    /// The network with this name, id, or unique beginning of an id.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a beginning that fits several, and for `host` and `none`, which are no networks.
    pub fn network(&self, key: &str) -> Result<Network> {
        if key == DEFAULT_NETWORK {
            return self.default_network();
        }
        match self.store.network(key) {
            Ok(record) => definition(&record),
            Err(error) if Predefined::find(key).is_some() => {
                Err(Error::invalid(format!("network {key} has neither links nor addresses ({error})")))
            }
            Err(error) => Err(self.no_such_network(key, error)),
        }
    }

    /// All networks that have a row, by name.
    ///
    /// # Errors
    /// `Store`.
    pub fn networks(&self) -> Result<Vec<Network>> {
        self.store.networks()?.iter().map(definition).collect()
    }

    /// The network of containers that name none. It is made when somebody asks for the first time.
    ///
    /// # Errors
    /// `Store`; `Conflict` when no subnet is free.
    pub fn default_network(&self) -> Result<Network> {
        match self.store.network(DEFAULT_NETWORK) {
            Err(error) if error.kind() == store::ErrorKind::NotFound => {}
            other => return definition(&other?),
        }
        let link = default_link(self.paths());
        match self.insert_network(DEFAULT_NETWORK, |facts| define::default(&link, facts)) {
            // Somebody else was faster.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.store.network(DEFAULT_NETWORK).map_err(|_| error).and_then(|record| definition(&record))
            }
            other => other,
        }
    }

    fn insert_network(&self, name: &str, make: impl FnOnce(&Facts<'_>) -> Result<Network>) -> Result<Network> {
        // Until the bridge has its address, others do not know that the subnet is taken.
        let choice = kernel::Choice::take()?;
        let host = kernel::Host::read()?;
        let (id, created) = (ContainerId::generate()?.hex(), ago::now());
        let seed = kernel::seed(self.paths());
        let inserted = self.store.create_network(name, |known| {
            let others: Vec<Network> = known.iter().map(definition).collect::<Result<_>>()?;
            let facts = Facts { id: &id, created: &created, others: &others, host: &host, seed };
            let mut network = make(&facts)?;
            network.keeps_link = Links::open()?.index(&network.link)?.is_some();
            record(&network)
        })?;
        let network = definition(&inserted?)?;
        sys::fault::point("network: row written");
        let bridge = self.realm().and_then(|realm| Ok(realm.make_network(&realm.registers().lock()?, &network)?));
        if let Err(error) = bridge {
            self.store.remove_network(&network.id).ok();
            return Err(error);
        }
        drop(choice);
        Ok(network)
    }

    fn no_such_network(&self, key: &str, error: store::Error) -> Error {
        let error = Error::from(error);
        if error.kind() != ErrorKind::NotFound {
            return error;
        }
        let known = self.store.networks().unwrap_or_default();
        let names = known.iter().map(|network| network.name.as_str());
        match similar(key, names.chain(Predefined::ALL.map(Predefined::name))) {
            Some(name) => error.with_hint(format!("did you mean {name}?")),
            None => error.with_hint("phial network ls says which there are"),
        }
    }

    /// Tells what happened to a network, in docker's word for it.
    pub(crate) fn tell_network(&self, network: &Network, action: &str, attributes: &[(&str, &str)]) {
        let event = Event::now(Type::Network, network.id.clone(), action)
            .with([("name", network.name.as_str()), ("type", driver_name(network))]);
        self.tell(&event.with(attributes.iter().copied()));
    }
}

/// Docker's word for how a network is made.
pub(crate) fn driver_name(network: &Network) -> &'static str {
    match network.driver {
        net::Driver::Bridge => "bridge",
        net::Driver::Macvlan(_) => "macvlan",
        net::Driver::Ipvlan(_) => "ipvlan",
    }
}

/// The bridge of the default network: several stores live on one host without knowing of one another.
fn default_link(paths: &Paths) -> String {
    own_name(paths).unwrap_or_else(|| "phial0".to_owned())
}

/// The table of the firewall.
fn table(paths: &Paths) -> String {
    own_name(paths).unwrap_or_else(|| "phial".to_owned())
}

/// What a store that is not where stores are calls its own.
fn own_name(paths: &Paths) -> Option<String> {
    let digest = || Digest::of(paths.root().as_os_str().as_encoded_bytes()).hex();
    (paths.root() != std::path::Path::new(Paths::DEFAULT_ROOT)).then(|| format!("phial-{}", &digest()[..8]))
}

fn definition(record: &NetworkRecord) -> Result<Network> {
    Network::deserialize(&record.definition)
        .map_err(|error| Error::new(ErrorKind::Store, format!("network {}: its definition: {error}", record.name)))
}

fn record(network: &Network) -> Result<NetworkRecord> {
    let definition =
        serde_json::to_value(network).map_err(|error| Error::invalid(format!("network {}: {error}", network.name)))?;
    let (id, name, created) = (network.id.clone(), network.name.clone(), network.created.clone());
    Ok(NetworkRecord { id, name, created, definition })
}
