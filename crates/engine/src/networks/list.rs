//! The lines of `network ls`.

use std::collections::BTreeMap;

use net::Network;

use super::{Predefined, driver_name};
use crate::config::network::DEFAULT_NETWORK;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::words::filter::Filters;

/// What `network ls --filter` takes.
pub const NETWORK_FILTERS: &[&str] = &["dangling", "driver", "id", "label", "label!", "name", "scope", "type"];

/// One line of `network ls`.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSummary {
    /// All 64 digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Docker's word for how it is made.
    pub driver: &'static str,
    /// When it was created: RFC 3339; empty of what was always there.
    pub created: String,
    /// Whether it has addresses of IPv4.
    pub ipv4: bool,
    /// Whether it has addresses of IPv6.
    pub ipv6: bool,
    /// Whether nothing outside can be reached.
    pub internal: bool,
    /// Whether it is there without anybody having made it.
    pub predefined: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    /// The networks that match, by name.
    ///
    /// # Errors
    /// `Invalid` for a filter that makes no sense, `Store`.
    pub fn list_networks(&self, filters: &Filters) -> Result<Vec<NetworkSummary>> {
        let dangling = filters.switch("dangling")?;
        check(filters, "scope", &["local", "global", "swarm"])?;
        check(filters, "type", &["builtin", "custom"])?;
        self.default_network()?;
        self.collect_networks().ok();
        let mut lines: Vec<NetworkSummary> = Predefined::ALL.map(NetworkSummary::predefined).into();
        for network in self.networks()? {
            // Who lives there is asked only where that matters.
            if let Some(dangling) = dangling
                && dangling != self.is_dangling(&network)?
            {
                continue;
            }
            lines.push(NetworkSummary::of(network));
        }
        lines.retain(|line| (dangling != Some(true) || !line.predefined) && line.matches(filters));
        lines.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(lines)
    }

    fn is_dangling(&self, network: &Network) -> Result<bool> {
        Ok(network.name != DEFAULT_NETWORK && self.live_endpoints(network)?.is_empty())
    }
}

impl NetworkSummary {
    fn of(network: Network) -> NetworkSummary {
        NetworkSummary {
            driver: driver_name(&network),
            ipv4: network.ipv4().is_some(),
            ipv6: network.ipv6().is_some(),
            predefined: network.name == DEFAULT_NETWORK,
            id: network.id,
            name: network.name,
            created: network.created,
            internal: network.internal,
            labels: network.labels,
        }
    }

    fn predefined(network: Predefined) -> NetworkSummary {
        NetworkSummary {
            id: network.id(),
            name: network.name().to_owned(),
            driver: network.driver(),
            created: String::new(),
            ipv4: true,
            ipv6: false,
            internal: false,
            predefined: true,
            labels: BTreeMap::new(),
        }
    }

    fn matches(&self, filters: &Filters) -> bool {
        let kind = if self.predefined { "builtin" } else { "custom" };
        filters.any("driver", |driver| self.driver == driver)
            && filters.any("id", |part| self.id.contains(part))
            && filters.any("name", |part| self.name.contains(part))
            && filters.any("scope", |scope| scope == "local")
            && filters.any("type", |wanted| wanted == kind)
            && filters.labels(&self.labels)
    }
}

fn check(filters: &Filters, key: &str, known: &[&str]) -> Result<()> {
    match filters.values(key).find(|value| !known.contains(value)) {
        Some(value) => {
            Err(Error::invalid(format!("invalid filter '{key}={value}'"))
                .with_hint(format!("one of {}", known.join(", "))))
        }
        None => Ok(()),
    }
}
