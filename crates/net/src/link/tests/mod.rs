//! What [`Links`] does, in real network namespaces.

mod attach;
mod bridge;
mod parent;
mod reading;

use std::net::IpAddr;

use super::{Attach, Bridge, Interface, InterfaceAddress, Link, Links, Port};
use crate::address::Mac;
use crate::error::Result;
use crate::testing::Namespace;

/// A namespace that stands for the host, with the bridge `br0`: 10.9.0.1/24, `fd09::1/64`.
struct Host(Namespace);

/// A container on `br0`, with addresses that end with its number, or only the one of IPv4.
struct Container {
    namespace: Namespace,
    number: u8,
    ipv6: bool,
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("is one")
}

fn address(text: &str) -> InterfaceAddress {
    let (ip, prefix) = text.split_once('/').expect("has a prefix");
    InterfaceAddress { ip: ip.parse().expect("is one"), prefix: prefix.parse().expect("is one") }
}

/// The links of a namespace, or what else is asked of them.
fn links<T: Send>(namespace: &Namespace, work: impl FnOnce(&mut Links) -> T + Send) -> T {
    namespace.run(|| work(&mut Links::open().expect("a socket can be made")))
}

fn link(namespace: &Namespace, name: &str) -> Option<Link> {
    let all = links(namespace, Links::list).expect("links are listed");
    all.into_iter().find(|link| link.name == name)
}

/// Reads a file below /proc/sys/net.
fn setting(namespace: &Namespace, path: &str) -> String {
    let read = || std::fs::read_to_string(format!("/proc/sys/net/{path}")).expect("it is there");
    namespace.run(read).trim().to_owned()
}

impl Host {
    fn new() -> Host {
        let host = Host(Namespace::new());
        let addresses = [address("10.9.0.1/24"), address("fd09::1/64")];
        let bridge = Bridge { name: "br0", addresses: &addresses, mtu: None };
        links(&host.0, |links| links.ensure_bridge(&bridge)).expect("the bridge is made");
        host
    }

    /// A new container, attached to the bridge.
    fn container(&self, number: u8) -> Container {
        let container = Container { namespace: Namespace::new(), number, ipv6: true };
        self.attach(&container, |_| {}).expect("it is attached");
        container
    }

    fn attach(&self, container: &Container, change: impl FnOnce(&mut Attach<'_>) + Send) -> Result<u32> {
        let number = container.number;
        let mut addresses = vec![address(&format!("10.9.0.{number}/24"))];
        let mut gateways = vec![ip("10.9.0.1")];
        if container.ipv6 {
            addresses.push(address(&format!("fd09::{number:x}/64")));
            gateways.push(ip("fd09::1"));
        }
        let host_link = format!("veth{number}");
        let interface = Interface {
            name: "eth0",
            mac: Mac::of(addresses[0].ip),
            addresses: &addresses,
            gateways: &gateways,
            mtu: None,
        };
        let mut attach = Attach {
            namespace: container.namespace.fd(),
            interface,
            bridge: "br0",
            port: Port { name: &host_link, isolated: false, hairpin: false },
        };
        change(&mut attach);
        links(&self.0, |links| links.attach(&attach))
    }
}
