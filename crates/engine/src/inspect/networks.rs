//! What `inspect` says of a container's networks: `NetworkSettings`, and the part of `HostConfig` about them.

use std::collections::BTreeMap;

use ::image::Config;
use net::{Endpoint, Network, Pool};
use serde_json::{Map, Value, json};

use super::exposed_ports;
use crate::config::network::DEFAULT_NETWORK;
use crate::config::{Connection, ContainerConfig, Link, Network as Mode};
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::Result;
use crate::networks::ports::Ports;

impl Engine {
    /// Where a container is on networks, now or once it runs.
    ///
    /// # Errors
    /// `System` for a register that cannot be read.
    pub(super) fn network_settings(&self, container: &Container, image: &Config) -> Result<Value> {
        let config = &container.config;
        let status = container.state.status();
        let live = if status.is_some() { self.endpoints_of(&container.record.id)? } else { Vec::new() };
        let asked = match &config.network {
            Mode::Own(connections) if connections.is_empty() => vec![Connection::to(DEFAULT_NETWORK)],
            Mode::Own(connections) => connections.clone(),
            // As docker: it has no network, but is said to be on one.
            other => vec![Connection::to(other.to_string())],
        };
        let of_asked = asked.iter().map(|connection| {
            let found = live.iter().find(|(network, _)| is(network, &connection.network));
            let name =
                found.map_or_else(|| self.network_name(&connection.network), |(network, _)| network.name.clone());
            (name, self.endpoint(container, connection, found))
        });
        let networks: Map<String, Value> = of_asked.collect();
        let default = live.iter().find(|(network, _)| network.name == DEFAULT_NETWORK);
        let mut settings = addresses(default);
        // Who looks into the namespace finds it there.
        let key = status.map(|status| format!("/proc/{}/ns/net", status.pid)).unwrap_or_default();
        let more = json!({
            "Bridge": "",
            "SandboxID": if status.is_some() { container.record.id.hex() } else { String::new() },
            "SandboxKey": key,
            "HairpinMode": false,
            "LinkLocalIPv6Address": "",
            "LinkLocalIPv6PrefixLen": 0,
            "SecondaryIPAddresses": null,
            "SecondaryIPv6Addresses": null,
            "Ports": if status.is_some() { ports(config, image, &live) } else { json!({}) },
            "Networks": networks,
        });
        extend(&mut settings, more);
        Ok(settings)
    }

    /// What a container was asked to have of networks.
    pub(super) fn network_config(&self, container: &Container) -> Value {
        let config = &container.config;
        let mode = match &config.network {
            Mode::Own(connections) => {
                connections.first().map_or(DEFAULT_NETWORK.to_owned(), |first| self.network_name(&first.network))
            }
            other => other.to_string(),
        };
        let links =
            config.links.iter().map(|link| format!("/{}:/{}/{}", self.linked(link), container.record.name, link.alias));
        let links: Vec<String> = links.collect();
        json!({
            "NetworkMode": mode,
            "PortBindings": bindings(config),
            "PublishAllPorts": config.publish_all,
            "Links": if links.is_empty() { Value::Null } else { json!(links) },
        })
    }

    /// A network's name; what the configuration says where it is gone, or is none.
    fn network_name(&self, key: &str) -> String {
        self.store.network(key).map_or_else(|_| key.to_owned(), |network| network.name)
    }

    /// What the other container of a link is called now; its id when it is gone.
    fn linked(&self, link: &Link) -> String {
        self.store.find_container(&link.container).map_or_else(|_| link.container.clone(), |other| other.name)
    }

    fn endpoint(&self, container: &Container, asked: &Connection, live: Option<&(Network, Endpoint)>) -> Value {
        let record = &container.record;
        let ipam = match (asked.ipv4, asked.ipv6) {
            (None, None) => Value::Null,
            (ipv4, ipv6) => {
                let ipv4 = ipv4.map(|address| ("IPv4Address", address.to_string()));
                let ipv6 = ipv6.map(|address| ("IPv6Address", address.to_string()));
                json!(ipv4.into_iter().chain(ipv6).collect::<BTreeMap<_, _>>())
            }
        };
        let id = live.map_or_else(
            || self.store.network(&asked.network).map_or(String::new(), |network| network.id),
            |(network, _)| network.id.clone(),
        );
        let is_default = asked.network == DEFAULT_NETWORK || live.is_some_and(|(network, _)| !network.names);
        // The names that others have for it: there are none on the default network.
        let has_names = matches!(container.config.network, Mode::Own(_)) && !is_default;
        let names = [record.name.clone()].into_iter().chain(asked.aliases.clone()).chain([record.id.short()]);
        let none_or = |list: Vec<String>| if list.is_empty() { Value::Null } else { json!(list) };
        let mut value = addresses(live);
        let more = json!({
            "IPAMConfig": ipam,
            "Links": none_or(asked.links.iter().map(|link| format!("{}:{}", self.linked(link), link.alias)).collect()),
            "Aliases": none_or(asked.aliases.clone()),
            "DriverOpts": if asked.options.is_empty() { Value::Null } else { json!(asked.options) },
            "GwPriority": asked.gateway_priority,
            "NetworkID": id,
            "DNSNames": if has_names { json!(names.collect::<Vec<_>>()) } else { Value::Null },
        });
        extend(&mut value, more);
        value
    }
}

fn is(network: &Network, key: &str) -> bool {
    network.id == key || network.name == key
}

/// The addresses of an endpoint, under docker's names.
fn addresses(live: Option<&(Network, Endpoint)>) -> Value {
    let text = |value: Option<String>| value.unwrap_or_default();
    let of = |find: fn(&Network) -> Option<&Pool>| live.and_then(|(network, _)| find(network));
    let endpoint = live.map(|(_, endpoint)| endpoint);
    let (ipv4, ipv6) = (endpoint.and_then(|endpoint| endpoint.ipv4), endpoint.and_then(|endpoint| endpoint.ipv6));
    let prefix = |has: bool, pool: Option<&Pool>| pool.filter(|_| has).map_or(0, |pool| pool.subnet.prefix());
    let gateway = |has: bool, pool: Option<&Pool>| text(pool.filter(|_| has).map(|pool| pool.gateway.to_string()));
    // Nothing outside can be reached from there.
    let has_way = live.is_some_and(|(network, _)| !network.internal);
    json!({
        "EndpointID": text(endpoint.map(|endpoint| endpoint.id.clone())),
        "MacAddress": text(endpoint.map(|endpoint| endpoint.mac.to_string())),
        "IPAddress": text(ipv4.map(|address| address.to_string())),
        "IPPrefixLen": prefix(ipv4.is_some(), of(Network::ipv4)),
        "Gateway": gateway(ipv4.is_some() && has_way, of(Network::ipv4)),
        "GlobalIPv6Address": text(ipv6.map(|address| address.to_string())),
        "GlobalIPv6PrefixLen": prefix(ipv6.is_some(), of(Network::ipv6)),
        "IPv6Gateway": gateway(ipv6.is_some() && has_way, of(Network::ipv6)),
    })
}

/// Where each port is published; null of those that are exposed only.
fn ports(config: &ContainerConfig, image: &Config, live: &[(Network, Endpoint)]) -> Value {
    if !matches!(config.network, Mode::Own(_)) {
        return json!({});
    }
    let exposed = exposed_ports(config, image);
    let ports = Ports::new(live.iter().map(|(_, endpoint)| endpoint), exposed.iter().map(String::as_str));
    let mut all: Map<String, Value> = Map::new();
    for (port, protocol) in &ports.exposed {
        all.insert(format!("{port}/{protocol}"), Value::Null);
    }
    for port in &ports.published {
        let place = json!({"HostIp": port.host.to_string(), "HostPort": port.host_port.to_string()});
        let places = all.entry(format!("{}/{}", port.port, port.protocol)).or_insert_with(|| json!([]));
        places.as_array_mut().expect("a port is published or not").push(place);
    }
    Value::Object(all)
}

/// What `-p` asked for, port by port.
fn bindings(config: &ContainerConfig) -> Value {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for mapping in &config.ports {
        for port in mapping.container_ports() {
            let outside = match mapping.host_ports_of(port) {
                None => String::new(),
                Some((first, last)) if first == last => first.to_string(),
                Some((first, last)) => format!("{first}-{last}"),
            };
            let host = mapping.host.map(|host| host.to_string()).unwrap_or_default();
            let place = json!({"HostIp": host, "HostPort": outside});
            all.entry(format!("{port}/{}", mapping.protocol)).or_default().push(place);
        }
    }
    json!(all)
}

fn extend(value: &mut Value, more: Value) {
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
}
