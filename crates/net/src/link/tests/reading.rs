//! What is read of links, routes and neighbours.

use std::net::UdpSocket;

use rustix::io::Errno;

use super::{Host, ip, link, links};
use crate::address::{Mac, Subnet};
use crate::error::ErrorKind;
use crate::link::{Forwarding, Links, NeighbourState, Route, RouteKind, Way};
use crate::testing::Namespace;

fn subnets(texts: &[&str]) -> Vec<Subnet> {
    texts.iter().map(|text| text.parse().expect("is one")).collect()
}

#[test]
fn subnets_in_use_are_those_of_addresses_and_routes_but_not_the_default() {
    let host = Host::new();
    let container = host.container(2);
    let used = |namespace: &Namespace| links(namespace, Links::subnets_in_use).expect("they are listed");
    let expected = subnets(&["10.9.0.0/24", "127.0.0.0/8", "::1/128", "fd09::/64"]);
    assert_eq!(used(&host.0), expected);
    assert_eq!(used(&container.namespace), expected, "it has default routes");
}

#[test]
fn a_new_namespace_has_lo() {
    let namespace = Namespace::new();
    let all = links(&namespace, Links::list).expect("links are listed");
    let [lo] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((lo.name.as_str(), lo.index, lo.up, lo.loopback), ("lo", 1, true, true));
    assert_eq!((&lo.kind, lo.master, lo.peer), (&None, None, None));
    let addresses: Vec<String> = lo.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["127.0.0.1/8", "::1/128"]);
    let none = links(&namespace, |links| links.index("missing")).expect("it is asked for");
    assert_eq!(none, None);
}

#[test]
fn ways_of_packets() {
    let host = Host::new();
    let _container = host.container(2);
    let bridge = link(&host.0, "br0").expect("it is there").index;
    let way = |to: &str, from: Option<&str>, arriving| {
        links(&host.0, |links| links.route(Way { source: from.map(ip), arriving, ..Way::to(ip(to)) }))
    };
    let direct =
        |source: &str| Route { kind: RouteKind::Unicast, link: Some(bridge), gateway: None, source: Some(ip(source)) };
    assert_eq!(way("10.9.0.2", None, None).ok(), Some(direct("10.9.0.1")));
    assert_eq!(way("fd09::2", None, None).ok(), Some(direct("fd09::1")));
    let kind = |to, from, arriving| way(to, from, arriving).map(|route| route.kind).ok();
    assert_eq!(kind("10.9.0.1", None, None), Some(RouteKind::Local));
    assert_eq!(kind("10.9.0.255", None, None), Some(RouteKind::Broadcast));
    assert_eq!(kind("10.9.0.1", Some("10.9.0.2"), Some(bridge)), Some(RouteKind::Local));
    let error = way("192.0.2.1", None, None).expect_err("there is none");
    assert_eq!(error.errno(), Some(Errno::NETUNREACH));
    assert_eq!(error.to_string(), "the way to 192.0.2.1: Network unreachable (os error 101)");
    assert_eq!(way("192.0.2.1", Some("::1"), None).expect_err("two families").kind(), ErrorKind::Invalid);
}

#[test]
fn neighbours_and_what_a_bridge_knows() {
    let host = Host::new();
    let container = host.container(2);
    let bridge = link(&host.0, "br0").expect("it is there");
    let port = link(&host.0, "veth2").expect("it is there");
    let here = container.namespace.run(|| UdpSocket::bind("10.9.0.2:7").expect("it has it"));
    let there = host.0.run(|| UdpSocket::bind("10.9.0.1:7").expect("it has it"));
    here.send_to(b"word", "10.9.0.1:7").expect("there is a way");
    there.recv_from(&mut [0; 8]).expect("it arrives");

    let eth0 = link(&container.namespace, "eth0").expect("it is there").index;
    let known = links(&container.namespace, Links::neighbours).expect("they are listed");
    let gateway = known.iter().find(|known| known.address == ip("10.9.0.1")).expect("it was asked for");
    assert_eq!((gateway.mac, gateway.link, gateway.state), (bridge.mac, eth0, NeighbourState::Reachable));

    let known = links(&host.0, |links| links.forwarding(bridge.index)).expect("it is listed");
    let learned = Forwarding { mac: Mac::of(ip("10.9.0.2")), link: port.index, vlan: None, permanent: false };
    assert!(known.contains(&learned), "{known:?}");
    assert!(known.iter().any(|known| known.permanent && Some(known.mac) == port.mac), "{known:?}");
}

#[test]
fn a_list_longer_than_one_answer_is_read_to_its_end() {
    let host = Namespace::new();
    let names: Vec<String> = (0..200).map(|number| format!("br{number}")).collect();
    let make = |links: &mut Links| {
        for name in &names {
            let bridge = crate::link::Bridge { name, addresses: &[], mtu: None };
            links.ensure_bridge(&bridge).expect("it is made");
        }
    };
    links(&host, make);
    assert_eq!(links(&host, Links::list).expect("links are listed").len(), 201);
}
