//! Ports, in network namespaces of each test.

mod proxy;
mod reservation;

use super::Wanted;
use crate::Protocol;

/// All addresses.
const EVERYWHERE: [&str; 2] = ["0.0.0.0", "::"];

fn wanted(protocol: Protocol, hosts: &[&str], host_ports: Option<(u16, u16)>) -> Wanted {
    let hosts = hosts.iter().map(|text| text.parse().expect("is one")).collect();
    Wanted { protocol, hosts, host_ports: host_ports.map(|(first, last)| first..=last), port: 80 }
}
