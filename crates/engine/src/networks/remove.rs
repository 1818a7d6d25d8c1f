//! Networks that go: one by one, and all that nobody uses.

use jiff::Timestamp;
use net::{Endpoint, Network};

use super::Predefined;
use crate::config::network::DEFAULT_NETWORK;
use crate::containers::lifecycle::Pruned;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{Event, Type};
use crate::words::filter::Filters;

/// What `network prune --filter` takes.
pub const NETWORK_PRUNE_FILTERS: &[&str] = &["label", "label!", "until"];

impl Engine {
    /// Removes a network on which nothing lives. Containers that do not run and name it cannot be started any more.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when containers live on it, which are named; `Invalid` for those that are always there.
    pub fn remove_network(&self, key: &str) -> Result<()> {
        let is_default = |network: &Network| network.name == DEFAULT_NETWORK;
        if let Some(network) = Predefined::find(key) {
            return Err(always_there(network.name()));
        }
        if key == DEFAULT_NETWORK {
            return Err(always_there(key));
        }
        let network = self.network(key)?;
        if is_default(&network) {
            return Err(always_there(&network.name));
        }
        // Who starts a container leases addresses with the same lock in hand.
        let registers = self.registers();
        let locked = registers.lock()?;
        let living = self.live_endpoints(&network)?;
        if !living.is_empty() {
            return Err(in_use(&network, &living));
        }
        self.store.remove_network(&network.id)?;
        sys::fault::point("network: row removed");
        self.realm()?.remove_network(&locked, &network)?;
        drop(locked);
        self.tell_network(&network, "destroy", &[]);
        Ok(())
    }

    /// Removes the networks on which nothing lives and that match the filters.
    ///
    /// # Errors
    /// `Invalid` for a filter that makes no sense, `Store`.
    pub fn prune_networks(&self, filters: &Filters) -> Result<Pruned> {
        let until = filters.until()?;
        let mut pruned = Pruned::default();
        for network in self.networks()? {
            if network.name == DEFAULT_NETWORK || !matches(&network, filters, until) {
                continue;
            }
            match self.remove_network(&network.id) {
                Ok(()) => pruned.names.push(network.name),
                // It came into use, or was removed, meanwhile.
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        self.tell(&Event::now(Type::Network, "", "prune").with([("reclaimed", "0")]));
        Ok(pruned)
    }
}

fn matches(network: &Network, filters: &Filters, until: Option<Timestamp>) -> bool {
    let created: Option<Timestamp> = network.created.parse().ok();
    let is_old = until.is_none_or(|until| created.is_some_and(|created| created < until));
    is_old && filters.labels(&network.labels)
}

fn always_there(name: &str) -> Error {
    Error::invalid(format!("{name} is a pre-defined network and cannot be removed"))
}

fn in_use(network: &Network, living: &[Endpoint]) -> Error {
    let shown = |endpoint: &Endpoint| {
        let name = endpoint.names.first().map(String::as_str).unwrap_or_default();
        format!("name:\"{name}\" id:\"{}\"", endpoint.container.get(..12).unwrap_or_default())
    };
    let all: Vec<String> = living.iter().map(shown).collect();
    let name = &network.name;
    Error::conflict(format!("network {name} has active endpoints ({})", all.join(", ")))
        .with_hint(format!("stop these containers, or take them off: phial network disconnect {name} CONTAINER"))
}
