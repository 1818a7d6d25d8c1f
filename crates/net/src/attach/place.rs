//! One place of a container: its interface on a network, and what of the host that needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::lease::Wish;
use crate::link::{self, Attach, Bridge, Interface, InterfaceAddress, Links, Port, SubLink};
use crate::network::IpvlanMode;
use crate::realm::remove_links;
use crate::{Driver, Endpoint, Error, Network, Pool, Result};

/// What stands for the name of the interface in the names of its parameters, as docker has it.
pub const IFNAME: &str = "IFNAME";

/// A container's place on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The network.
    pub network: Network,
    /// What the container has of it.
    pub endpoint: Endpoint,
    /// What its interface is called in the container.
    pub interface: String,
    /// Of several networks that lead out, the one with the highest is the way out.
    #[serde(default)]
    pub priority: i32,
    /// Parameters of the interface: paths below `/proc/sys/net`, in which it is called [`IFNAME`], and what is written there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sysctls: Vec<(String, String)>,
}

/// What a container that runs shall have of a further network.
///
/// Its supervisor leases the addresses: it lives as long as they are used, and who has asked may be killed at any moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joining {
    /// The network.
    pub network: Network,
    /// Which addresses and names.
    pub wish: Wish,
    /// What the interface is called; if there is one of that name, it gets the next number.
    pub interface: String,
    /// As of [`Place::priority`].
    #[serde(default)]
    pub priority: i32,
    /// As of [`Place::sysctls`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sysctls: Vec<(String, String)>,
}

/// Which families leave a container over a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WaysOut {
    /// IPv4.
    pub(super) ipv4: bool,
    /// IPv6.
    pub(super) ipv6: bool,
}

impl Place {
    /// Makes the container's interface, and what of the host it needs.
    ///
    /// A container that calls a port of the host that leads to itself gets the packet back by the way that it came. Where the
    /// host's rules see what bridges pass on (`br_netfilter`), the bridge does that only with a port in `hairpin` mode.
    pub(super) fn attach(
        &self,
        links: &mut Links,
        namespace: BorrowedFd<'_>,
        ways_out: WaysOut,
        hairpin: bool,
    ) -> Result<()> {
        let (network, endpoint) = (&self.network, &self.endpoint);
        let (addresses, gateways) = (self.addresses(), self.gateways(ways_out));
        let interface = Interface {
            name: &self.interface,
            mac: endpoint.mac,
            addresses: &addresses,
            gateways: &gateways,
            mtu: network.mtu,
        };
        let sub = match network.driver {
            Driver::Bridge => {
                ensure_bridge(links, network)?;
                sys::fault::point("network: bridge there");
                let port = port(network, endpoint, hairpin);
                links.attach(&Attach { namespace, interface, bridge: &network.link, port })?;
                return self.set(namespace);
            }
            Driver::Macvlan(mode) => SubLink::Macvlan(mode),
            Driver::Ipvlan(mode) => SubLink::Ipvlan(mode),
        };
        let parent = links.ensure_parent(&network.link)?;
        links.attach_to_parent(namespace, &interface, parent, sub)?;
        self.set(namespace)
    }

    /// Removes the container's interface at once. One that somebody in the container has given another name is found by its
    /// other end, where there is one.
    pub(super) fn detach(&self, namespace: BorrowedFd<'_>) -> Result<()> {
        if self.network.is_bridge() {
            remove_links(std::slice::from_ref(&self.endpoint))
        } else {
            link::detach(namespace, &self.interface)
        }
    }

    /// Sets the parameters of the interface.
    fn set(&self, namespace: BorrowedFd<'_>) -> Result<()> {
        if self.sysctls.is_empty() {
            return Ok(());
        }
        link::in_namespace(namespace, || {
            self.sysctls.iter().try_for_each(|(path, value)| {
                let file = PathBuf::from("/proc/sys/net").join(path.replace(IFNAME, &self.interface));
                std::fs::write(&file, value).map_err(|error| Error::io(file.display(), &error))
            })
        })
    }

    fn addresses(&self) -> Vec<InterfaceAddress> {
        let address =
            |ip: Option<IpAddr>, pool: Option<&Pool>| Some(InterfaceAddress { ip: ip?, prefix: pool?.subnet.prefix() });
        let ipv4 = address(self.endpoint.ipv4.map(IpAddr::V4), self.network.ipv4());
        let ipv6 = address(self.endpoint.ipv6.map(IpAddr::V6), self.network.ipv6());
        ipv4.into_iter().chain(ipv6).collect()
    }

    /// Where what leaves goes first.
    pub(super) fn gateways(&self, ways_out: WaysOut) -> Vec<IpAddr> {
        let routes = matches!(self.network.driver, Driver::Ipvlan(IpvlanMode::L3 | IpvlanMode::L3s));
        let gateway = |pool: Option<&Pool>, any: IpAddr| pool.map(|pool| if routes { any } else { pool.gateway });
        let ipv4 = gateway(self.network.ipv4(), Ipv4Addr::UNSPECIFIED.into()).filter(|_| ways_out.ipv4);
        let ipv6 = gateway(self.network.ipv6(), Ipv6Addr::UNSPECIFIED.into()).filter(|_| ways_out.ipv6);
        ipv4.into_iter().chain(ipv6).collect()
    }
}

/// The host's end of an endpoint.
pub(crate) fn port<'a>(network: &Network, endpoint: &'a Endpoint, hairpin: bool) -> Port<'a> {
    Port { name: &endpoint.link, isolated: !network.icc, hairpin }
}

/// Sees to the bridge of a network, and returns its number.
pub(crate) fn ensure_bridge(links: &mut Links, network: &Network) -> Result<u32> {
    let address = |pool: &Pool| InterfaceAddress { ip: pool.gateway, prefix: pool.subnet.prefix() };
    let addresses: Vec<InterfaceAddress> = network.pools.iter().map(address).collect();
    links.ensure_bridge(&Bridge { name: &network.link, addresses: &addresses, mtu: network.mtu })
}
