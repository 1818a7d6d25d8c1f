//! What a published port adds: one element of a map.

use std::net::IpAddr;

use crate::endpoint::{Endpoint, Published};
use crate::firewall::phrase::octets;
use crate::network::Network;
use crate::nft::{Data, DataKind, DataType, Element, Set};

/// A map of published ports.
pub(super) struct Map {
    /// Its name.
    pub(super) name: &'static str,
    /// Of which IP.
    pub(super) is_ipv4: bool,
    /// Whether its keys begin with an address of the host, or are of all.
    pub(super) with_address: bool,
}

/// In the order in which they are looked up.
pub(super) const MAPS: [Map; 4] = [
    Map { name: "published-ip", is_ipv4: true, with_address: true },
    Map { name: "published-everywhere-ip", is_ipv4: true, with_address: false },
    Map { name: "published-ip6", is_ipv4: false, with_address: true },
    Map { name: "published-everywhere-ip6", is_ipv4: false, with_address: false },
];

/// The maps, without elements.
pub(super) fn empty_sets() -> impl Iterator<Item = Set> {
    MAPS.iter().map(|map| {
        let address = if map.is_ipv4 { DataType::IPV4 } else { DataType::IPV6 };
        let key = if map.with_address {
            DataType::concatenation(&[address, DataType::INET_PROTOCOL, DataType::INET_SERVICE])
        } else {
            DataType::concatenation(&[DataType::INET_PROTOCOL, DataType::INET_SERVICE])
        };
        let data = DataKind::value(DataType::concatenation(&[address, DataType::INET_SERVICE]));
        let comment = if map.with_address {
            "ports that are published on one address"
        } else {
            "ports that are published on all addresses"
        };
        Set::map(map.name, key, data, comment)
    })
}

/// The elements of a container's ports, with the maps that they belong to.
pub(super) fn elements(network: &Network, endpoint: &Endpoint) -> Vec<(&'static str, Element)> {
    if network.internal || !network.is_bridge() {
        return Vec::new();
    }
    endpoint.ports.iter().filter_map(|published| element(endpoint, published)).collect()
}

fn element(endpoint: &Endpoint, published: &Published) -> Option<(&'static str, Element)> {
    if !is_translated(published, endpoint) {
        return None;
    }
    let address = endpoint.address_like(published.host)?;
    let with_address = !published.host.is_unspecified();
    let map = MAPS.iter().find(|map| map.is_ipv4 == address.is_ipv4() && map.with_address == with_address)?;
    let mut key = if with_address { octets(published.host) } else { Vec::new() };
    key.extend([published.protocol.number(), 0, 0, 0]);
    key.extend(padded(published.host_port));
    let mut data = octets(address);
    data.extend(padded(published.port));
    let comment = endpoint.names.first().cloned();
    Some((map.name, Element { comment, ..Element::with_data(key, Data::Value(data)) }))
}

/// Whether the kernel leads this port to the container: one of the same IP, and not of `::1`, which never leaves the host.
pub(super) fn is_translated(published: &Published, endpoint: &Endpoint) -> bool {
    let is_loopback = matches!(published.host, IpAddr::V6(address) if address.is_loopback());
    !is_loopback && endpoint.address_like(published.host).is_some()
}

/// A part of a concatenation takes a multiple of four bytes.
fn padded(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}
