//! The table as the kernel has it, and as `nft(8)` shows it.

use std::net::IpAddr;
use std::process::Command;

use super::*;
use crate::address::Mac;
use crate::endpoint::Protocol;
use crate::network::{Driver, Pool};
use crate::nft;
use crate::testing::Namespace;

fn network(name: &str, link: &str, subnets: &[&str]) -> Network {
    let pools = subnets.iter().map(|text| {
        let subnet: crate::address::Subnet = text.parse().expect("is one");
        let gateway = subnet.nth(1).expect("it has addresses");
        Pool { subnet, range: None, gateway, aux: std::collections::BTreeMap::new() }
    });
    Network {
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
        options: std::collections::BTreeMap::new(),
        labels: std::collections::BTreeMap::new(),
    }
}

fn endpoint(name: &str, address: &str, ports: &[(&str, u16, u16)]) -> Endpoint {
    let address: IpAddr = address.parse().expect("is one");
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
        mac: Mac::of(address),
        ipv4: if let IpAddr::V4(address) = address { Some(address) } else { None },
        ipv6: if let IpAddr::V6(address) = address { Some(address) } else { None },
        ports: ports.collect(),
    }
}

fn listed(arguments: &[&str]) -> String {
    let output = Command::new("nft").args(arguments).output().expect("nftables is installed");
    assert!(output.status.success(), "nft {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn the_table_is_taken_and_shown() {
    let mut default = network("bridge", "phial0", &["172.17.0.0/16", "fd00:1::/64"]);
    default.icc = false;
    let mut internal = network("inside", "br-0123456789ab", &["10.9.0.0/20"]);
    internal.internal = true;
    let all = [
        endpoint("web", "172.17.0.2", &[("0.0.0.0", 8080, 80), ("127.0.0.1", 8081, 81)]),
        endpoint("six", "fd00:1::2", &[("::", 8080, 80), ("fd00::9", 8081, 81)]),
    ];
    let registers: [(&Network, &[Endpoint]); 2] = [(&internal, &[]), (&default, &all)];
    Namespace::new().run(|| {
        let mut firewall = Firewall::open("phial").expect("there is nfnetlink");
        firewall.replace(&registers).expect("it is taken");
        assert!(listed(&["list", "table", "inet", "phial"]).contains("comment \"published ports\""));
        let mut found = nft::dump_table(&mut firewall.socket, nft::Scope { family: Family::Inet, table: "phial" })
            .expect("it is there")
            .expect("it is");
        let mut expected = compile("phial", &registers);
        for table in [&mut found, &mut expected] {
            table.sets.sort_by(|one, other| one.name.cmp(&other.name));
            for set in &mut table.sets {
                set.elements.sort_by(|one, other| one.key.cmp(&other.key));
            }
            for rule in table.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
                rule.handle = None;
            }
        }
        assert_eq!(found, expected);
        assert!(firewall.is_intact(&registers).expect("it answers"));
    });
}
