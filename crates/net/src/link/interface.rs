//! The container's end of any attachment: its addresses and routes.

use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use super::numbers::{
    F_CREATE, F_REPLACE, NEWROUTE, PROTOCOL_BOOT, ROUTE_UNICAST, RTA_GATEWAY, RTA_OIF, SCOPE_LINK, SCOPE_UNIVERSE,
    TABLE_MAIN, family,
};
use super::{InterfaceAddress, Links, add_address, in_namespace, set_up, sysctl};
use crate::address::Mac;
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::Batch;

/// A container's interface on a network.
#[derive(Debug, Clone, Copy)]
pub struct Interface<'a> {
    /// Its name in the container: eth0.
    pub name: &'a str,
    /// Its hardware address.
    pub mac: Mac,
    /// Its addresses. Without one of IPv6, it does not speak IPv6 at all.
    pub addresses: &'a [InterfaceAddress],
    /// Where everything goes that nothing else is known of, at most one of each family. An unspecified address (0.0.0.0,
    /// ::) says that all of that is on the link itself, as it is with ipvlan in its layer 3 modes.
    pub gateways: &'a [IpAddr],
    /// Largest packet, bytes; the kernel's own otherwise.
    pub mtu: Option<u32>,
}

impl Interface<'_> {
    pub(super) fn check(&self) -> Result<()> {
        super::check_name(self.name)?;
        self.addresses.iter().try_for_each(|address| address.subnet().map(|_| ()))
    }

    /// Brings the interface up, which was made down in the namespace, with its addresses and routes: one datagram.
    pub(super) fn configure(&self, namespace: BorrowedFd<'_>) -> Result<()> {
        let name = self.name;
        let mut inside = in_namespace(namespace, || {
            self.settle_ipv6()?;
            Links::open()
        })?;
        let index = inside.index(name)?.ok_or_else(|| gone(name))?;
        let mut batch = Batch::default();
        set_up(&mut batch, index, name, None);
        for address in self.addresses {
            add_address(&mut batch, index, name, *address);
        }
        add_routes(&mut batch, index, name, self.gateways);
        inside.socket.apply(batch)
    }

    /// What must be said before the interface is up. Without an address of IPv6, there is to be none that the kernel gives
    /// it: it would be a way to others that no rule was made for (CVE-2024-32473). With one, nobody on the network may make
    /// itself the router of the container.
    fn settle_ipv6(&self) -> Result<()> {
        let set = |key, value| sysctl::set(&format!("ipv6/conf/{}/{key}", self.name), value);
        if !self.addresses.iter().any(|address| address.ip.is_ipv6()) {
            return set("disable_ipv6", "1");
        }
        set("accept_ra", "0")?;
        // The container's own settings may say that new interfaces have none.
        set("disable_ipv6", "0")
    }
}

/// Gives a container other ways out than it has, by an interface that it has.
///
/// # Errors
/// `NotFound` if there is no such interface, `System`.
pub fn set_gateways(namespace: BorrowedFd<'_>, interface: &str, gateways: &[IpAddr]) -> Result<()> {
    let mut inside = Links::open_in(namespace)?;
    let index = inside.index(interface)?.ok_or_else(|| gone(interface))?;
    let mut batch = Batch::default();
    add_routes(&mut batch, index, interface, gateways);
    if batch.is_empty() { Ok(()) } else { inside.socket.apply(batch) }
}

/// Adds default routes; they take the place of others.
fn add_routes(batch: &mut Batch, index: u32, name: &str, gateways: &[IpAddr]) {
    for gateway in gateways {
        let on_link = gateway.is_unspecified();
        // The kernel knows no scopes of routes of IPv6.
        let scope = if on_link && gateway.is_ipv4() { SCOPE_LINK } else { SCOPE_UNIVERSE };
        let header = [family(*gateway), 0, 0, 0, TABLE_MAIN, PROTOCOL_BOOT, scope, ROUTE_UNICAST, 0, 0, 0, 0];
        let what = format!("adding a default route by {gateway} on {name}");
        let mut request = batch.change(NEWROUTE, F_CREATE | F_REPLACE, &header, what);
        request.u32(RTA_OIF, index);
        if !on_link {
            request.address(RTA_GATEWAY, *gateway);
        }
    }
}

fn gone(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no interface {name} in the container"))
}
