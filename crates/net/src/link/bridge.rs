//! Bridges of networks: made, put right, removed.

use std::net::{IpAddr, Ipv6Addr};

use rustix::io::Errno;

use super::forwarding::Forwards;
use super::list::{BRIDGE, Found, ask_for, read_link};
use super::numbers::{F_CREATE, F_EXCL, IFLA_ADDRESS, IFLA_IFNAME, IFLA_LINKINFO, IFLA_MTU, INFO_KIND, NEWLINK};
use super::{InterfaceAddress, Links, add_address, check_name, link_header, set_up, sysctl, without_kind};
use crate::address::Mac;
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::Batch;

/// The link-local address of every bridge that speaks IPv6, as Docker has it.
const LINK_LOCAL: InterfaceAddress =
    InterfaceAddress { ip: IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)), prefix: 64 };
/// How often a bridge is looked for that others make and remove at the same time.
const TRIES: u32 = 8;

/// What a network's bridge has to be like.
#[derive(Debug, Clone, Copy)]
pub struct Bridge<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its addresses. Without one of IPv6, the bridge does not speak IPv6 at all.
    pub addresses: &'a [InterfaceAddress],
    /// Largest packet, bytes; the kernel's own otherwise.
    pub mtu: Option<u32>,
}

impl Links {
    /// Sees to it that there is a bridge as described, up, and that the host forwards packets; returns its number. Where
    /// everything is right already, that takes two questions to the kernel.
    ///
    /// What the bridge has beyond that, such as further addresses, it keeps. The spanning tree protocol is off, as the
    /// kernel has it.
    ///
    /// # Errors
    /// `Invalid` for what cannot be a name, `Conflict` if a link of another kind has it, `System`.
    pub fn ensure_bridge(&mut self, bridge: &Bridge<'_>) -> Result<u32> {
        check_name(bridge.name)?;
        for _ in 0..TRIES {
            let (found, forwards) = self.look(bridge.name)?;
            self.forward(forwards, bridge.has_ipv6())?;
            if let Some(found) = found {
                is_bridge(&found)?;
                self.put_right(bridge, &found)?;
                return Ok(found.link.index);
            }
            self.make(bridge)?;
        }
        Err(Error::new(
            ErrorKind::Conflict,
            format!("bridge {} is removed by others as soon as it is made", bridge.name),
        ))
    }

    /// Removes a bridge. That there is none is no error; ports of it stay, with nobody to talk to.
    ///
    /// # Errors
    /// `Invalid` for what cannot be a name, `Conflict` for a link of another kind, `System`.
    pub fn remove_bridge(&mut self, name: &str) -> Result<()> {
        check_name(name)?;
        match self.find(name)? {
            Some(found) => is_bridge(&found).and_then(|()| self.delete(name)),
            None => Ok(()),
        }
    }

    /// The link with this name.
    pub(super) fn find(&mut self, name: &str) -> Result<Option<Found>> {
        let mut batch = Batch::default();
        ask_for(&mut batch, name).tolerate(Errno::NODEV);
        let mut found = None;
        self.socket.exchange(batch, |_, answer| found = read_link(answer))?;
        Ok(found)
    }

    /// The link with this name, and whether the host forwards: in one datagram.
    fn look(&mut self, name: &str) -> Result<(Option<Found>, Forwards)> {
        let mut batch = Batch::default();
        ask_for(&mut batch, name).tolerate(Errno::NODEV);
        Forwards::ask(&mut batch);
        let (mut found, mut forwards) = (None, Forwards::default());
        self.socket.exchange(batch, |step, answer| match step {
            0 => found = read_link(answer),
            _ => forwards.take(answer),
        })?;
        Ok((found, forwards))
    }

    /// Makes the bridge, down. Another process may be doing the same.
    fn make(&mut self, bridge: &Bridge<'_>) -> Result<()> {
        let name = bridge.name;
        let mut batch = Batch::default();
        let what = format!("making bridge {name}");
        let mut request = batch.change(NEWLINK, F_CREATE | F_EXCL, &link_header(0, 0), what);
        request.tolerate(Errno::EXIST).text(IFLA_IFNAME, name);
        // It must have a hardware address of its own: it would take that of one of its ports, and change it when that port
        // goes, while containers still send to the old one.
        if let Some(first) = bridge.addresses.first() {
            request.bytes(IFLA_ADDRESS, &Mac::of(first.ip).0);
        }
        if let Some(mtu) = bridge.mtu {
            request.u32(IFLA_MTU, mtu);
        }
        request.nested(IFLA_LINKINFO, |info| {
            info.text(INFO_KIND, BRIDGE);
        });
        self.socket.apply(batch).map_err(|error| without_kind(error, BRIDGE, BRIDGE))
    }

    /// Changes what is different. Settings come before the link is up and has addresses: from then on neighbours are
    /// listened to.
    fn put_right(&mut self, bridge: &Bridge<'_>, found: &Found) -> Result<()> {
        let (name, link) = (bridge.name, &found.link);
        // Published ports are reached from the host itself by 127.0.0.1 as well; the packet is one of the bridge then.
        if found.route_localnet != Some(1) {
            sysctl::set(&format!("ipv4/conf/{name}/route_localnet"), "1")?;
        }
        // A container could make itself the host's router (CVE-2020-13401).
        if found.accept_ra != Some(0) {
            sysctl::set(&format!("ipv6/conf/{name}/accept_ra"), "0")?;
        }
        let disable = u32::from(!bridge.has_ipv6());
        if found.disable_ipv6 != Some(disable) {
            sysctl::set(&format!("ipv6/conf/{name}/disable_ipv6"), if disable == 1 { "1" } else { "0" })?;
        }
        // It asks for neighbours from its link-local address, and not at all while it looks for somebody else who has that:
        // for a second nobody outside would reach a container by IPv6. So it has one of ours, for which it does not look.
        let link_local = bridge.has_ipv6().then_some(LINK_LOCAL);
        if !link.up && link_local.is_some() {
            sysctl::set(&format!("ipv6/conf/{name}/addr_gen_mode"), "1")?;
        }
        let mut batch = Batch::default();
        let mtu = bridge.mtu.filter(|mtu| *mtu != link.mtu);
        if !link.up || mtu.is_some() {
            set_up(&mut batch, link.index, name, mtu);
        }
        let present = if bridge.addresses.is_empty() { Vec::new() } else { self.addresses(link.index)? };
        let wanted = bridge.addresses.iter().chain(&link_local);
        for address in wanted.filter(|wanted| !present.iter().any(|(_, has)| has == *wanted)) {
            add_address(&mut batch, link.index, name, *address);
        }
        if batch.is_empty() { Ok(()) } else { self.socket.apply(batch) }
    }
}

impl Bridge<'_> {
    fn has_ipv6(&self) -> bool {
        self.addresses.iter().any(|address| address.ip.is_ipv6())
    }
}

/// Whether a link is a bridge.
pub(super) fn is_bridge(found: &Found) -> Result<()> {
    let kind = found.link.kind.as_deref();
    if kind == Some(BRIDGE) {
        return Ok(());
    }
    let (name, kind) = (&found.link.name, kind.unwrap_or("device"));
    Err(Error::new(ErrorKind::Conflict, format!("{name} is a {kind} of this host, not a bridge"))
        .with_hint("the option com.docker.network.bridge.name gives the network's bridge another name"))
}
