//! The firewall in real network namespaces.

mod neighbours;
mod table;
mod traffic;
mod world;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Command;

use crate::address::{Mac, Subnet};
use crate::network::{Driver, Network, Pool};
use crate::{Endpoint, Protocol, Published};

fn network(name: &str, link: &str, subnets: &[&str]) -> Network {
    let pools = subnets.iter().map(|text| {
        let subnet: Subnet = text.parse().expect("is one");
        let gateway = subnet.lowest_free(subnet, &[]).expect("it has addresses");
        Pool { subnet, range: None, gateway, aux: BTreeMap::new() }
    });
    Network {
        keeps_link: false,
        id: format!("{name:0<64}"),
        name: name.to_owned(),
        created: String::new(),
        driver: Driver::Bridge,
        link: link.to_owned(),
        pools: pools.collect(),
        internal: false,
        icc: true,
        masquerade: true,
        names: true,
        mtu: None,
        host_binding: None,
        options: BTreeMap::new(),
        labels: BTreeMap::new(),
    }
}

/// A container with these addresses and ports: address and port of the host, port of the container.
fn endpoint(name: &str, addresses: &[&str], ports: &[(&str, u16, u16)]) -> Endpoint {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().expect("is one")).collect();
    let ports = ports.iter().map(|(host, host_port, port)| Published {
        protocol: Protocol::Tcp,
        host: host.parse().expect("is one"),
        host_port: *host_port,
        port: *port,
    });
    Endpoint {
        container: format!("{name:0<64}"),
        id: format!("{name:0<64}"),
        names: vec![name.to_owned()],
        link: String::new(),
        mac: Mac::of(addresses[0]),
        ipv4: addresses
            .iter()
            .find_map(|address| if let IpAddr::V4(address) = address { Some(*address) } else { None }),
        ipv6: addresses
            .iter()
            .find_map(|address| if let IpAddr::V6(address) = address { Some(*address) } else { None }),
        ports: ports.collect(),
    }
}

/// Runs a program in the network namespace of this thread, and returns what it says.
fn run(command: &str) -> String {
    let mut words = command.split(' ');
    let program = words.next().expect("split returns one part at least");
    let output = Command::new(program).args(words).output().expect("nftables, iptables and iproute2 are installed");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}
