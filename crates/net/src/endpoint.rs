//! What of a container is on a network, and which ports of the host lead to it.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::address::Mac;

/// A container's place on one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The container's id: 64 hexadecimal digits.
    pub container: String,
    /// The endpoint's own id: 64 hexadecimal digits.
    pub id: String,
    /// What it is called on this network: the container's name first, then aliases.
    pub names: Vec<String>,
    /// The host's end of its pair of devices; empty where there is none (macvlan, ipvlan).
    pub link: String,
    /// Its hardware address.
    pub mac: Mac,
    /// Its address of IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Addr>,
    /// Its address of IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Addr>,
    /// Ports of the host that lead to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Published>,
}

/// A port of the host that leads to a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Which transport.
    pub protocol: Protocol,
    /// The host's address; 0.0.0.0 and :: are all of its family.
    pub host: IpAddr,
    /// The host's port.
    pub host_port: u16,
    /// The container's port.
    pub port: u16,
}

/// A transport that has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// `tcp(7)`.
    Tcp,
    /// `udp(7)`.
    Udp,
    /// `sctp(7)`.
    Sctp,
}

impl Protocol {
    /// The protocol with this name.
    pub fn from_name(name: &str) -> Option<Protocol> {
        match name {
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            "sctp" => Some(Protocol::Sctp),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }

    /// Its number (IANA, Assigned Internet Protocol Numbers).
    pub fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        }
    }
}

impl Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Published {
    /// Whether it is the same port of the host, wherever it leads.
    pub fn is_same(&self, other: &Published) -> bool {
        (self.protocol, self.host, self.host_port) == (other.protocol, other.host, other.host_port)
    }
}

impl Endpoint {
    /// Whether this is the container's name, and not only one of its further names.
    pub fn is_called(&self, name: &str) -> bool {
        self.names.first().is_some_and(|first| first == name)
    }

    /// Its address of the family of `like`.
    pub fn address_like(&self, like: IpAddr) -> Option<IpAddr> {
        if like.is_ipv4() { self.ipv4.map(IpAddr::V4) } else { self.ipv6.map(IpAddr::V6) }
    }
}
