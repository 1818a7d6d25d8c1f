//! Definitions of networks, good and bad.

use super::*;

fn subnet(text: &str) -> Subnet {
    text.parse().expect("is one")
}

/// The definition of what `change` asks for beside a network with 172.17.0.0/16, on a host that has 172.18.0.0/16.
fn defined(change: impl FnOnce(&mut NetworkConfig)) -> Result<Network> {
    let host = Host { subnets: vec![subnet("172.18.0.0/16"), subnet("0.0.0.0/0")], ipv6: true };
    let facts = |others| Facts {
        id: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        created: "2026-01-02T03:04:05Z",
        others,
        host: &host,
        seed: [1, 2, 3, 4, 5],
    };
    let first = default("phial0", &facts(&[])).expect("is one");
    let mut config = NetworkConfig { name: "web".to_owned(), ..NetworkConfig::default() };
    change(&mut config);
    define(&config, &facts(&[first]))
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// Subnet, range and gateway of each pool.
fn check(change: impl FnOnce(&mut NetworkConfig), expected: &[&str]) {
    let network = defined(change).expect("is one");
    let shown = |pool: &Pool| {
        let range = pool.range.map(|range| format!(" in {range}")).unwrap_or_default();
        format!("{}{range} via {}", pool.subnet, pool.gateway)
    };
    assert_eq!(network.pools.iter().map(shown).collect::<Vec<_>>(), expected);
}

#[test]
fn what_nobody_says_is_chosen() {
    check(|_| {}, &["172.19.0.0/16 via 172.19.0.1", "fd01:203:405:1::/64 via fd01:203:405:1::1"]);
    check(|c| c.ipv6 = Some(false), &["172.19.0.0/16 via 172.19.0.1"]);
    check(|c| c.ipv4 = Some(false), &["fd01:203:405:1::/64 via fd01:203:405:1::1"]);
    check(|c| (c.ipv4, c.ipv6) = (Some(false), Some(false)), &[]);
    let network = defined(|_| {}).expect("is one");
    assert_eq!((network.link.as_str(), network.names, network.icc), ("br-0123456789ab", true, true));
    let macvlan = |c: &mut NetworkConfig| {
        c.driver = Some("macvlan".to_owned());
        c.options.insert("parent".to_owned(), "eth0".to_owned());
    };
    check(macvlan, &["172.19.0.0/16 via 172.19.0.1"]);
}

#[test]
fn what_is_said_is_taken() {
    check(
        |c| {
            c.subnets = list(&["fd00:9::/64", "10.9.0.0/16"]);
            c.ranges = list(&["10.9.5.0/24"]);
            c.gateways = list(&["fd00:9::ff"]);
            c.aux = list(&["router=10.9.0.1"]);
        },
        &["10.9.0.0/16 in 10.9.5.0/24 via 10.9.0.2", "fd00:9::/64 via fd00:9::ff"],
    );
    check(|c| (c.subnets, c.ipv6) = (list(&["10.9.0.0/31"]), Some(false)), &["10.9.0.0/31 via 10.9.0.0"]);
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |subnets: &[&str], change: fn(&mut NetworkConfig), named: &str| {
        let change = |c: &mut NetworkConfig| {
            c.subnets = list(subnets);
            change(c);
        };
        let error = defined(change).expect_err(named).to_string();
        assert!(error.contains(named), "{named}: {error}");
    };
    for (text, named) in [
        ("10.0.0.0", "not a subnet"),
        ("10.9.1.2/16", "it should be 10.9.0.0/16"),
        ("10.9.0.0/32", "the prefix is not within 8 and 31"),
        ("0.0.0.0/0", "the prefix is not within"),
        ("127.0.0.0/8", "not those of hosts"),
        ("224.0.0.0/8", "not those of hosts"),
        ("fe80::/64", "not those of hosts"),
        ("172.17.5.0/24", "overlaps with 172.17.0.0/16, the subnet of network bridge"),
    ] {
        refused(&[text], |_| {}, named);
    }
    let subnet = ["10.9.0.0/16"];
    refused(&["10.9.0.0/16", "10.8.0.0/16"], |_| {}, "has 10.9.0.0/16 of IPv4 already");
    refused(&subnet, |c| c.ranges = list(&["10.8.0.0/24"]), "--ip-range 10.8.0.0/24: within no --subnet");
    refused(&subnet, |c| c.ranges = list(&["10.9.1.0/24", "10.9.2.0/24"]), "has a range already");
    refused(&subnet, |c| c.gateways = list(&["10.8.0.1"]), "--gateway 10.8.0.1: within no --subnet");
    refused(&subnet, |c| c.gateways = list(&["10.9.255.255"]), "nobody can have it");
    refused(&subnet, |c| c.gateways = list(&["x"]), "'x' is not an address");
    refused(&subnet, |c| c.gateways = list(&["10.9.0.1", "10.9.0.2"]), "has a gateway already");
    refused(&subnet, |c| c.aux = list(&["10.9.0.5"]), "not NAME=ADDRESS");
    refused(&subnet, |c| c.aux = list(&["a=10.9.0.5", "b=10.9.0.5"]), "is given twice");
    refused(&subnet, |c| c.ipv4 = Some(false), "--ipv4=false and --subnet");
    refused(&[], |c| c.gateways = list(&["10.9.0.1"]), "within no --subnet");
    let named_link = |c: &mut NetworkConfig| {
        c.options.insert(options::BRIDGE_NAME.to_owned(), "phial0".to_owned());
    };
    refused(&[], named_link, "bridge phial0 is that of network bridge");
}

#[test]
fn a_host_without_ipv6_has_networks_without_it() {
    let host = Host { subnets: Vec::new(), ipv6: false };
    let facts = Facts { id: &"a".repeat(64), created: "", others: &[], host: &host, seed: [0; 5] };
    let mut config = NetworkConfig::default();
    assert!(define(&config, &facts).expect("is one").ipv6().is_none());
    config.ipv6 = Some(true);
    assert!(define(&config, &facts).is_err());
}
