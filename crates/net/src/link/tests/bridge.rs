//! Bridges.

use super::{Host, address, ip, link, links, setting};
use crate::address::Mac;
use crate::error::ErrorKind;
use crate::link::{Bridge, Links};
use crate::testing::Namespace;

const IPV4: &str = "10.8.0.1/24";

#[test]
fn a_bridge_is_made_whole_and_made_whole_again() {
    let host = Namespace::new();
    let addresses = [address(IPV4), address("fd08::1/64")];
    let bridge = Bridge { name: "br-test", addresses: &addresses, mtu: Some(1400) };
    let ensure = || links(&host, |links| links.ensure_bridge(&bridge)).expect("it is made");
    let index = ensure();
    let check = || {
        let found = link(&host, "br-test").expect("it is there");
        assert_eq!((found.index, found.kind.as_deref(), found.up, found.mtu), (index, Some("bridge"), true, 1400));
        assert_eq!(found.mac, Some(Mac::of(ip("10.8.0.1"))));
        for wanted in addresses {
            assert!(found.addresses.contains(&wanted), "{wanted}");
        }
        for (path, expected) in [
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv4/conf/br-test/route_localnet", "1"),
            ("ipv6/conf/br-test/accept_ra", "0"),
            ("ipv6/conf/br-test/disable_ipv6", "0"),
        ] {
            assert_eq!(setting(&host, path), expected, "{path}");
        }
    };
    check();
    assert_eq!(ensure(), index);
    let break_it = || {
        for path in ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/conf/br-test/route_localnet"] {
            std::fs::write(format!("/proc/sys/net/{path}"), "0").expect("root may");
        }
        // Takes its addresses of IPv6 away as well.
        std::fs::write("/proc/sys/net/ipv6/conf/br-test/disable_ipv6", "1").expect("root may");
    };
    host.run(break_it);
    assert_eq!(ensure(), index);
    check();
}

#[test]
fn a_bridge_without_ipv6_has_no_address_of_it_and_leaves_the_hosts_routing_alone() {
    let host = Namespace::new();
    let addresses = [address(IPV4)];
    let bridge = Bridge { name: "br-test", addresses: &addresses, mtu: None };
    links(&host, |links| links.ensure_bridge(&bridge)).expect("it is made");
    let found = link(&host, "br-test").expect("it is there");
    assert_eq!(found.addresses, addresses);
    assert_eq!(setting(&host, "ipv6/conf/br-test/disable_ipv6"), "1");
    assert_eq!(setting(&host, "ipv6/conf/all/forwarding"), "0");
}

#[test]
fn links_that_listen_to_routers_go_on_when_the_host_becomes_one() {
    let host = Namespace::new();
    let uplink = |name, value: &str| {
        let bridge = Bridge { name, addresses: &[], mtu: None };
        links(&host, |links| links.ensure_bridge(&bridge)).expect("it is made");
        let path = format!("/proc/sys/net/ipv6/conf/{name}/accept_ra");
        host.run(|| std::fs::write(path, value)).expect("root may");
    };
    uplink("listens", "1");
    uplink("does.not", "0");
    let addresses = [address("fd08::1/64")];
    let bridge = Bridge { name: "br-test", addresses: &addresses, mtu: None };
    links(&host, |links| links.ensure_bridge(&bridge)).expect("it is made");
    let accept = |name: &str| setting(&host, &format!("ipv6/conf/{name}/accept_ra"));
    assert_eq!((accept("listens"), accept("does.not"), accept("br-test")), ("2".into(), "0".into(), "0".into()));
}

#[test]
fn a_name_that_is_taken_is_not_touched() {
    let host = Host::new();
    let _container = host.container(2);
    let bridge = Bridge { name: "veth2", addresses: &[], mtu: None };
    let error = links(&host.0, |links| links.ensure_bridge(&bridge)).expect_err("it is a veth");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.to_string(), "veth2 is a veth of this host, not a bridge");
    let error = links(&host.0, |links| links.remove_bridge("lo")).expect_err("it is lo");
    assert_eq!(error.to_string(), "lo is a device of this host, not a bridge");
    for name in ["", "sixteen-letters-", "a/b", "..", "eth%d", "a b", "a:b"] {
        let bridge = Bridge { name, ..bridge };
        let error = links(&host.0, |links| links.ensure_bridge(&bridge)).expect_err("it is no name");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
    }
}

#[test]
fn an_error_names_the_step_and_has_the_kernels_words() {
    let host = Namespace::new();
    let addresses = [address("fd08::1/64")];
    let bridge = Bridge { name: "br-test", addresses: &addresses, mtu: Some(1000) };
    let error = links(&host, |links| links.ensure_bridge(&bridge)).expect_err("IPv6 needs packets of 1280 bytes");
    // The kernel takes IPv6 away from such a link; its settings are gone.
    assert!(error.to_string().starts_with("adding fd08::1/64 to br-test: "), "{error}");
    let bridge = Bridge { name: "br-other", addresses: &[address("224.0.0.1/24")], mtu: Some(1) };
    let error = links(&host, |links| links.ensure_bridge(&bridge)).expect_err("too small");
    assert_eq!(
        error.to_string(),
        "making bridge br-other: mtu less than device minimum: Invalid argument (os error 22)"
    );
}

#[test]
fn bridges_are_removed_and_made_by_many_at_once() {
    let host = Namespace::new();
    let addresses = [address(IPV4), address("fd08::1/64")];
    let bridge = Bridge { name: "br-test", addresses: &addresses, mtu: None };
    std::thread::scope(|scope| {
        let make = || links(&host, |links| (0..20).map(|_| links.ensure_bridge(&bridge)).collect::<Vec<_>>());
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        let indices: Vec<u32> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("it does not panic"))
            .map(|answer| answer.expect("it is there"))
            .collect();
        assert!(indices.windows(2).all(|pair| pair[0] == pair[1]), "{indices:?}");
    });
    for _ in 0..2 {
        links(&host, |links| links.remove_bridge("br-test")).expect("it is removed");
        assert_eq!(link(&host, "br-test"), None);
    }
}

#[test]
fn parents_that_exist_are_taken_as_they_are() {
    let host = Host::new();
    let index = links(&host.0, |links| links.index("br0")).expect("it is asked for").expect("it is there");
    let parent = links(&host.0, |links: &mut Links| links.ensure_parent("br0")).expect("it is there");
    assert_eq!(parent, index);
}
