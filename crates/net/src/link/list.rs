//! Links and their addresses, as they are.

use serde::Serialize;

use super::numbers::{
    AF_INET, AF_INET6, CONF_ROUTE_LOCALNET, CONF6_ACCEPT_RA, CONF6_DISABLE_IPV6, GETADDR, GETLINK, IFA_ADDRESS,
    IFA_LOCAL, IFF_LOOPBACK, IFF_UP, IFLA_ADDRESS, IFLA_AF_SPEC, IFLA_EXT_MASK, IFLA_IFNAME, IFLA_LINK,
    IFLA_LINK_NETNSID, IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, INET_CONF, INET6_CONF, INFO_KIND, NEWADDR, NEWLINK,
    SKIP_STATS,
};
use super::{InterfaceAddress, Links, link_header};
use crate::address::Mac;
use crate::error::Result;
use crate::netlink::{Answer, Attribute, Batch, Request};

/// What the kernel calls a bridge.
pub(super) const BRIDGE: &str = "bridge";

/// A link of a network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Its number in the namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its kind: bridge, veth, macvlan and so on; None for hardware and `lo`.
    pub kind: Option<String>,
    /// Whether somebody has brought it up.
    pub up: bool,
    /// Whether it is `lo`.
    pub loopback: bool,
    /// Largest packet, bytes.
    pub mtu: u32,
    /// Its hardware address, if it has one of six bytes.
    pub mac: Option<Mac>,
    /// The number of the bridge that it is a port of.
    pub master: Option<u32>,
    /// The number of its other end, or of the link below it.
    pub peer: Option<u32>,
    /// The number by which this namespace calls the one that the peer is in, if that is another.
    pub peer_namespace: Option<u32>,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddress>,
}

/// A link with those of its settings that matter here; None of what the kernel does not say.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) link: Link,
    pub(super) route_localnet: Option<u32>,
    pub(super) accept_ra: Option<u32>,
    pub(super) disable_ipv6: Option<u32>,
}

impl Links {
    /// All links, with their addresses.
    ///
    /// # Errors
    /// `System`.
    pub fn list(&mut self) -> Result<Vec<Link>> {
        let mut links: Vec<Link> = self.found()?.into_iter().map(|found| found.link).collect();
        for (index, address) in self.addresses(0)? {
            if let Some(link) = links.iter_mut().find(|link| link.index == index) {
                link.addresses.push(address);
            }
        }
        Ok(links)
    }

    /// Names of all bridges. The kernel leaves everything else out, which is a container's end for the most part.
    ///
    /// # Errors
    /// `System`.
    pub fn bridges(&mut self) -> Result<Vec<String>> {
        let ask = |batch: &mut Batch| {
            let mut request = batch.list(GETLINK, &link_header(0, 0), "listing bridges");
            without_counters(&mut request);
            request.nested(IFLA_LINKINFO, |info| {
                info.text(INFO_KIND, BRIDGE);
            });
        };
        // Kernels that do not know of filters give all links.
        let is_bridge = |found: &Found| found.link.kind.as_deref() == Some(BRIDGE);
        let found = self.socket.collect(ask, |answer| read_link(answer).filter(is_bridge))?;
        Ok(found.into_iter().map(|found| found.link.name).collect())
    }

    /// All links, without addresses.
    pub(super) fn found(&mut self) -> Result<Vec<Found>> {
        let ask = |batch: &mut Batch| {
            without_counters(&mut batch.list(GETLINK, &link_header(0, 0), "listing links"));
        };
        self.socket.collect(ask, read_link)
    }

    /// Addresses of one link, or of all for 0, each with the number of its link.
    pub(super) fn addresses(&mut self, index: u32) -> Result<Vec<(u32, InterfaceAddress)>> {
        let [a, b, c, d] = index.to_ne_bytes();
        let ask = |batch: &mut Batch| {
            batch.list(GETADDR, &[0, 0, 0, 0, a, b, c, d], "listing addresses");
        };
        // Kernels that do not know of filters give those of all links.
        self.socket.collect(ask, |answer| read_address(answer).filter(|(of, _)| index == 0 || *of == index))
    }
}

/// Asks for one link.
pub(super) fn ask_for<'a>(batch: &'a mut Batch, name: &str) -> Request<'a> {
    let mut request = batch.ask(GETLINK, &link_header(0, 0), format!("link {name}"));
    without_counters(&mut request);
    request.text(IFLA_IFNAME, name);
    request
}

/// Leaves out what is most of an answer.
pub(super) fn without_counters(request: &mut Request<'_>) {
    request.u32(IFLA_EXT_MASK, SKIP_STATS);
}

/// A link, from the kernel's message about it.
pub(super) fn read_link(answer: Answer<'_>) -> Option<Found> {
    let (header, attributes) = answer.split::<16>().filter(|_| answer.kind == NEWLINK)?;
    let [_, _, _, _, i0, i1, i2, i3, f0, f1, f2, f3, ..] = header;
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let link = Link {
        index: u32::from_ne_bytes([i0, i1, i2, i3]),
        name: String::new(),
        kind: None,
        up: flags & IFF_UP != 0,
        loopback: flags & IFF_LOOPBACK != 0,
        mtu: 0,
        mac: None,
        master: None,
        peer: None,
        peer_namespace: None,
        addresses: Vec::new(),
    };
    let mut found = Found { link, route_localnet: None, accept_ra: None, disable_ipv6: None };
    for attribute in attributes {
        found.take(attribute);
    }
    Some(found)
}

impl Found {
    fn take(&mut self, attribute: Attribute<'_>) {
        let link = &mut self.link;
        match attribute.kind {
            IFLA_IFNAME => link.name = attribute.text(),
            IFLA_MTU => link.mtu = attribute.u32().unwrap_or_default(),
            IFLA_ADDRESS => link.mac = attribute.mac(),
            IFLA_MASTER => link.master = attribute.u32(),
            IFLA_LINK => link.peer = attribute.u32().filter(|peer| *peer != 0),
            IFLA_LINK_NETNSID => link.peer_namespace = attribute.u32(),
            IFLA_LINKINFO => {
                link.kind = attribute.nested().get(INFO_KIND).map(Attribute::text);
            }
            IFLA_AF_SPEC => attribute.nested().into_iter().for_each(|family| self.take_settings(family)),
            _ => {}
        }
    }

    fn take_settings(&mut self, family: Attribute<'_>) {
        let inner = |kind| family.nested().get(kind);
        if family.kind == u16::from(AF_INET) {
            self.route_localnet = inner(INET_CONF).and_then(|conf| conf.nth_u32(CONF_ROUTE_LOCALNET));
        } else if family.kind == u16::from(AF_INET6) {
            let conf = inner(INET6_CONF);
            self.accept_ra = conf.and_then(|conf| conf.nth_u32(CONF6_ACCEPT_RA));
            self.disable_ipv6 = conf.and_then(|conf| conf.nth_u32(CONF6_DISABLE_IPV6));
        }
    }
}

/// An address, from the kernel's message about it. The local one: the other is the far end's, on links between two.
fn read_address(answer: Answer<'_>) -> Option<(u32, InterfaceAddress)> {
    let (header, attributes) = answer.split::<8>().filter(|_| answer.kind == NEWADDR)?;
    let [_, prefix, _, _, i0, i1, i2, i3] = header;
    let (mut local, mut address) = (None, None);
    for attribute in attributes {
        match attribute.kind {
            IFA_LOCAL => local = attribute.address(),
            IFA_ADDRESS => address = attribute.address(),
            _ => {}
        }
    }
    Some((u32::from_ne_bytes([i0, i1, i2, i3]), InterfaceAddress { ip: local.or(address)?, prefix }))
}
