//! What a network is: the words of its creator, made whole. Pure data, which engines keep as JSON: fields are only ever added.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::address::Subnet;

/// A container network.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, which is there or not")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it was created: RFC 3339, UTC.
    pub created: String,
    /// How its containers are connected.
    pub driver: Driver,
    /// The link of the host that it is made of: the bridge, or the parent of macvlan and ipvlan.
    pub link: String,
    /// Whether the link was there before the network, and stays when that goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_link: bool,
    /// Its subnets: at most one of IPv4 and one of IPv6. Empty of a network whose containers have no addresses.
    pub pools: Vec<Pool>,
    /// Whether nothing outside can be reached (`--internal`).
    #[serde(default)]
    pub internal: bool,
    /// Whether containers of the network reach one another (`com.docker.network.bridge.enable_icc`).
    #[serde(default = "yes")]
    pub icc: bool,
    /// Whether what leaves has the host's address (`com.docker.network.bridge.enable_ip_masquerade`).
    #[serde(default = "yes")]
    pub masquerade: bool,
    /// Whether containers are called by name on it: on all but the default network.
    #[serde(default = "yes")]
    pub names: bool,
    /// Largest packet, bytes; the link's own otherwise (`com.docker.network.driver.mtu`).
    #[serde(default)]
    pub mtu: Option<u32>,
    /// Where published ports are if nobody says (`com.docker.network.bridge.host_binding_ipv4`); everywhere otherwise.
    #[serde(default)]
    pub host_binding: Option<IpAddr>,
    /// What the user said (`-o`), for `inspect`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// How the containers of a network are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// By a bridge of the host.
    Bridge,
    /// Each with a hardware address of its own on a link of the host.
    Macvlan(MacvlanMode),
    /// Each with an address of its own on a link of the host, whose hardware address they share.
    Ipvlan(IpvlanMode),
}

/// Who hears whom on a macvlan (`macvlan_mode`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MacvlanMode {
    /// All containers one another.
    #[default]
    Bridge,
    /// None one another.
    Private,
    /// One another if the switch outside sends it back.
    Vepa,
    /// There is one, and it has the link for itself.
    Passthru,
}

/// At which layer an ipvlan works (`ipvlan_mode`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanMode {
    /// It switches.
    #[default]
    L2,
    /// It routes.
    L3,
    /// It routes, and the host's firewall sees it.
    L3s,
}

/// A subnet of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// All of it.
    pub subnet: Subnet,
    /// The part that containers get addresses from, if it is not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Subnet>,
    /// The way out, which is the bridge's address.
    pub gateway: IpAddr,
    /// Addresses that are somebody else's (`--aux-address`), by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aux: BTreeMap<String, IpAddr>,
}

impl Network {
    /// Its subnet of IPv4.
    pub fn ipv4(&self) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.gateway.is_ipv4())
    }

    /// Its subnet of IPv6.
    pub fn ipv6(&self) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.gateway.is_ipv6())
    }

    /// Whether ports of the host can lead to its containers.
    pub fn can_publish(&self) -> bool {
        self.is_bridge() && !self.internal
    }

    /// Whether it is made of a bridge, which the firewall is about.
    pub fn is_bridge(&self) -> bool {
        self.driver == Driver::Bridge
    }
}

fn yes() -> bool {
    true
}
