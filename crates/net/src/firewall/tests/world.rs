//! A host with networks, containers on them, and a machine outside that has the host as its router, so that it can send it
//! anything.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::{network, run};
use crate::address::Mac;
use crate::firewall::{Backend, Firewall};
use crate::link::{Attach, Bridge, Interface, InterfaceAddress, Links, Port};
use crate::network::Network;
use crate::testing::Namespace;

/// How long a connection is waited for that must not come about.
const NEVER: Duration = Duration::from_millis(200);
/// How long a connection is waited for that must: a lost packet is sent again after a second.
const SOON: Duration = Duration::from_secs(5);

/// By what the rules come into the kernel of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By nftables.
    Nftables,
    /// By `iptables`, whose tables are made of nftables.
    Iptables,
    /// By `iptables` with the kernel's old tables.
    Legacy,
}

/// The host and the machine outside, which is on `lan0`: 192.0.2.9 and `2001:db8::9`; the host there is `.1` and `::1`.
pub(super) struct World {
    way: Way,
    pub(super) host: Namespace,
    pub(super) outside: Namespace,
    pub(super) networks: Vec<Network>,
}

/// What became of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It came to the server, as one from this address.
    From(IpAddr),
    /// Nobody is there.
    Refused,
    /// No answer.
    Silence,
}

impl World {
    /// Networks: `phial0` (172.17.0.0/16, `fd00:1::/64`), `br-other` (10.8.0.0/24), and `br-inside` (10.7.0.0/24), which is
    /// internal.
    pub(super) fn new(way: Way) -> World {
        let mut networks = vec![
            network("bridge", "phial0", &["172.17.0.0/16", "fd00:1::/64"]),
            network("other", "br-other", &["10.8.0.0/24"]),
            network("inside", "br-inside", &["10.7.0.0/24"]),
        ];
        networks[2].internal = true;
        let world = World { way, host: Namespace::new(), outside: Namespace::new(), networks };
        if way == Way::Legacy {
            // Whose tables are in use, goes on using them.
            world.host.run(|| ["iptables", "ip6tables"].map(|family| run(&format!("{family}-legacy -S"))));
        }
        for network in &world.networks {
            let addresses: Vec<_> = network
                .pools
                .iter()
                .map(|pool| InterfaceAddress { ip: pool.gateway, prefix: pool.subnet.prefix() })
                .collect();
            world.bridge(&network.link, &addresses);
        }
        world.bridge("lan0", &["192.0.2.1/24", "2001:db8::1/64"].map(address));
        world.host.run(|| {
            std::fs::write("/proc/sys/net/ipv4/conf/lan0/route_localnet", "0").expect("the bridge is there");
        });
        world.attach(&world.outside, "lan0", &["192.0.2.9/24", "2001:db8::9/64"], &["192.0.2.1", "2001:db8::1"]);
        world
    }

    pub(super) fn bridge(&self, name: &str, addresses: &[InterfaceAddress]) {
        let bridge = Bridge { name, addresses, mtu: None };
        self.host.run(|| Links::open()?.ensure_bridge(&bridge)).expect("the bridge is made");
    }

    pub(super) fn attach(&self, namespace: &Namespace, bridge: &str, addresses: &[&str], gateways: &[&str]) {
        let addresses: Vec<_> = addresses.iter().map(|text| address(text)).collect();
        let gateways: Vec<_> = gateways.iter().map(|text| ip(text)).collect();
        let mac = Mac::of(addresses[0].ip);
        let interface = Interface { name: "eth0", mac, addresses: &addresses, gateways: &gateways, mtu: None };
        let host_link = format!("ve{:02x}{:02x}{:02x}{:02x}", mac.0[2], mac.0[3], mac.0[4], mac.0[5]);
        let attach = Attach {
            namespace: namespace.fd(),
            interface,
            bridge,
            port: Port { name: &host_link, isolated: false, hairpin: true },
        };
        self.host.run(|| Links::open()?.attach(&attach)).expect("it is attached");
    }

    /// A container on one of the networks.
    pub(super) fn container(&self, network: usize, addresses: &[&str]) -> Namespace {
        let namespace = Namespace::new();
        let network = &self.networks[network];
        let speaks = |gateway: &IpAddr| addresses.iter().any(|text| address(text).ip.is_ipv4() == gateway.is_ipv4());
        let gateways = network.pools.iter().map(|pool| pool.gateway).filter(speaks);
        let gateways: Vec<String> = gateways.map(|gateway| gateway.to_string()).collect();
        let gateways: Vec<&str> = gateways.iter().map(String::as_str).collect();
        self.attach(&namespace, &network.link, addresses, &gateways);
        namespace
    }

    /// Does something with the host's firewall.
    pub(super) fn firewall<T: Send>(&self, work: impl FnOnce(&mut Firewall) -> T + Send) -> T {
        let choice = match self.way {
            Way::Nftables => Backend::Nftables,
            Way::Iptables | Way::Legacy => Backend::Iptables,
        };
        self.host.run(|| work(&mut Firewall::open("phial", Some(choice)).expect("there is nfnetlink")))
    }
}

/// A server of TCP.
pub(super) struct Server(TcpListener);

impl Server {
    /// One in a namespace.
    pub(super) fn new(namespace: &Namespace, at: &str) -> Server {
        let listener = namespace.run(|| TcpListener::bind(at)).expect("the address is there");
        listener.set_nonblocking(true).expect("it is a socket");
        Server(listener)
    }

    /// What becomes of a connection from a namespace to an address, which is said to lead here.
    pub(super) fn reached(&self, from: &Namespace, to: &str) -> Outcome {
        self.connect(from, to, SOON)
    }

    /// What becomes of one that is said to lead nowhere.
    pub(super) fn missed(&self, from: &Namespace, to: &str) -> Outcome {
        self.connect(from, to, NEVER)
    }

    fn connect(&self, from: &Namespace, to: &str, wait: Duration) -> Outcome {
        let to: SocketAddr = to.parse().expect("is an address with a port");
        match from.run(|| TcpStream::connect_timeout(&to, wait)) {
            Ok(client) => self.answer(client),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Outcome::Refused,
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => Outcome::Silence,
            Err(error) => panic!("connecting to {to}: {error}"),
        }
    }

    /// The handshake is over, so the connection is there to be accepted, unless it went to another server.
    fn answer(&self, mut client: TcpStream) -> Outcome {
        let (mut server, peer) = self.0.accept().expect("the connection leads here");
        server.write_all(b"x").expect("the client is there");
        client.set_read_timeout(Some(SOON)).expect("it is not zero");
        client.read_exact(&mut [0]).expect("the answer comes back");
        Outcome::From(peer.ip())
    }
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().expect("is one")
}

/// The outcome of a connection that came from this address.
pub(super) fn from(text: &str) -> Outcome {
    Outcome::From(ip(text))
}

pub(super) fn address(text: &str) -> InterfaceAddress {
    let (address, prefix) = text.split_once('/').expect("has a prefix");
    InterfaceAddress { ip: ip(address), prefix: prefix.parse().expect("is one") }
}
