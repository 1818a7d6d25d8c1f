//! `network inspect`.

use net::{Endpoint, Network, Pool};
use serde_json::{Map, Value, json};

use super::{Predefined, driver_name};
use crate::engine::Engine;
use crate::error::Result;

impl Engine {
    /// A network in docker's shape.
    ///
    /// # Errors
    /// As [`Engine::network`]; `System` for a register that cannot be read.
    pub fn inspect_network(&self, key: &str) -> Result<Value> {
        if let Some(network) = Predefined::find(key) {
            return Ok(predefined(network));
        }
        let network = self.network(key)?;
        let endpoints = self.live_endpoints(&network)?;
        let containers: Map<String, Value> =
            endpoints.iter().map(|endpoint| (endpoint.container.clone(), container(&network, endpoint))).collect();
        let pools: Vec<Value> = network.pools.iter().map(pool).collect();
        Ok(json!({
            "Name": network.name,
            "Id": network.id,
            "Created": network.created,
            "Scope": "local",
            "Driver": driver_name(&network),
            "EnableIPv4": network.ipv4().is_some(),
            "EnableIPv6": network.ipv6().is_some(),
            "IPAM": {"Driver": "default", "Options": {}, "Config": pools},
            "Internal": network.internal,
            "Attachable": false,
            "Ingress": false,
            "ConfigFrom": {"Network": ""},
            "ConfigOnly": false,
            "Containers": containers,
            "Options": network.options,
            "Labels": network.labels,
        }))
    }
}

fn predefined(network: Predefined) -> Value {
    json!({
        "Name": network.name(),
        "Id": network.id(),
        "Created": "0001-01-01T00:00:00Z",
        "Scope": "local",
        "Driver": network.driver(),
        "EnableIPv4": true,
        "EnableIPv6": false,
        "IPAM": {"Driver": "default", "Options": null, "Config": null},
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": false,
        "Containers": {},
        "Options": {},
        "Labels": {},
    })
}

fn pool(pool: &Pool) -> Value {
    let mut value = json!({"Subnet": pool.subnet, "Gateway": pool.gateway});
    if let Some(range) = pool.range {
        value["IPRange"] = json!(range);
    }
    if !pool.aux.is_empty() {
        value["AuxiliaryAddresses"] = json!(pool.aux);
    }
    value
}

fn container(network: &Network, endpoint: &Endpoint) -> Value {
    let with_prefix = |address: Option<String>, pool: Option<&Pool>| match (address, pool) {
        (Some(address), Some(pool)) => format!("{address}/{}", pool.subnet.prefix()),
        _ => String::new(),
    };
    json!({
        "Name": endpoint.names.first().map(String::as_str).unwrap_or_default(),
        "EndpointID": endpoint.id,
        "MacAddress": endpoint.mac,
        "IPv4Address": with_prefix(endpoint.ipv4.map(|address| address.to_string()), network.ipv4()),
        "IPv6Address": with_prefix(endpoint.ipv6.map(|address| address.to_string()), network.ipv6()),
    })
}
