//! Containers on bridges.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Mutex;

use super::{Container, Host, address, ip, link, links, setting};
use crate::address::Mac;
use crate::error::ErrorKind;
use crate::link::{Attach, Bridge, Port, RouteKind, Way, detach, set_gateways};
use crate::testing::Namespace;

impl Container {
    fn bind(&self, at: &str) -> UdpSocket {
        self.namespace.run(|| UdpSocket::bind((at, 7)).expect("the address is usable at once"))
    }

    fn addresses(&self) -> Vec<String> {
        let link = link(&self.namespace, "eth0").expect("it is there");
        link.addresses.iter().map(ToString::to_string).collect()
    }
}

/// Sends a datagram and waits for it. Sockets know of no loss: what the kernel drops here never arrives.
fn passes(from: &UdpSocket, to: &UdpSocket) {
    let mut word = [0; 8];
    from.send_to(b"word", to.local_addr().expect("it is bound")).expect("there is a way");
    let (length, sender) = to.recv_from(&mut word).expect("it arrives");
    assert_eq!((&word[..length], sender), (&b"word"[..], from.local_addr().expect("it is bound")));
}

#[test]
fn containers_and_host_talk_by_tcp_and_udp() {
    let host = Host::new();
    let (one, other) = (host.container(2), host.container(3));
    for (first, second, bridge) in [("10.9.0.2", "10.9.0.3", "10.9.0.1"), ("fd09::2", "fd09::3", "fd09::1")] {
        let (a, b) = (one.bind(first), other.bind(second));
        passes(&a, &b);
        passes(&b, &a);
        let h = host.0.run(|| UdpSocket::bind((bridge, 7)).expect("it has it"));
        passes(&a, &h);
        passes(&h, &b);
        let listener = one.namespace.run(|| TcpListener::bind((first, 80)).expect("it has it"));
        let mut client = other.namespace.run(|| TcpStream::connect((first, 80)).expect("there is a way"));
        let (mut server, peer) = listener.accept().expect("it comes");
        assert_eq!(peer.ip(), ip(second));
        client.write_all(b"word").expect("it is connected");
        drop(client);
        let mut all = String::new();
        server.read_to_string(&mut all).expect("it is sent");
        assert_eq!(all, "word");
    }
}

#[test]
fn what_is_sent_at_once_arrives() {
    let host = Host::new();
    let h = host.0.run(|| UdpSocket::bind(("10.9.0.1", 7)).expect("it has it"));
    // Neighbours are asked for once: a question or an answer that is lost is not made good.
    let ask_once = |link: &str| std::fs::write(format!("/proc/sys/net/ipv4/neigh/{link}/mcast_solicit"), "1");
    host.0.run(|| ask_once("br0")).expect("root may");
    for number in 2..40 {
        let container = Container { namespace: Namespace::new(), number, ipv6: false };
        host.attach(&container, |_| {}).expect("it is attached");
        container.namespace.run(|| ask_once("eth0")).expect("root may");
        let c = container.bind(&format!("10.9.0.{number}"));
        // The host's end sends first, because it was up first, without a carrier.
        let (first, second) = if number % 2 == 0 { (&h, &c) } else { (&c, &h) };
        passes(first, second);
        passes(second, first);
    }
}

#[test]
fn both_ends_are_as_described() {
    let host = Host::new();
    let container = host.container(2);
    let outer = link(&host.0, "veth2").expect("it is there");
    let inner = link(&container.namespace, "eth0").expect("it is there");
    let bridge = link(&host.0, "br0").expect("it is there");
    assert_eq!((outer.kind.as_deref(), outer.up, outer.master), (Some("veth"), true, Some(bridge.index)));
    assert_eq!((outer.peer, outer.addresses), (Some(inner.index), vec![]));
    assert!(outer.peer_namespace.is_some());
    assert_eq!((inner.up, inner.mac, inner.peer), (true, Some(Mac::of(ip("10.9.0.2"))), Some(outer.index)));
    assert_eq!(inner.addresses[0], address("10.9.0.2/24"));
    assert!(inner.addresses.contains(&address("fd09::2/64")));
    assert_eq!(setting(&container.namespace, "ipv6/conf/eth0/accept_ra"), "0");
    for (to, gateway) in [("192.0.2.1", "10.9.0.1"), ("2001:db8::1", "fd09::1")] {
        let route = links(&container.namespace, |links| links.route(Way::to(ip(to)))).expect("there is one");
        assert_eq!((route.kind, route.link), (RouteKind::Unicast, Some(inner.index)));
        assert_eq!(route.gateway, Some(ip(gateway)));
    }
    assert_eq!(link(&host.0, "eth0"), None);
    assert_eq!(link(&container.namespace, "veth2"), None);
}

#[test]
fn without_an_address_of_ipv6_there_is_none_whatever_the_container_says() {
    let host = Host::new();
    let container = Container { namespace: Namespace::new(), number: 2, ipv6: false };
    host.attach(&container, |_| {}).expect("it is attached");
    assert_eq!(container.addresses(), ["10.9.0.2/24"]);
    assert_eq!(setting(&container.namespace, "ipv6/conf/eth0/disable_ipv6"), "1");

    let container = Container { namespace: Namespace::new(), number: 3, ipv6: true };
    let disable = || std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").expect("root may");
    container.namespace.run(disable);
    host.attach(&container, |_| {}).expect("it is attached");
    assert!(container.addresses().contains(&"fd09::3/64".to_owned()));
}

#[test]
fn who_has_lost_his_bridge_is_put_on_the_next_one() {
    let host = Host::new();
    let (one, other) = (host.container(2), host.container(3));
    links(&host.0, |links| links.remove_bridge("br0")).expect("it is removed");
    let addresses = [address("10.9.0.1/24"), address("fd09::1/64")];
    let bridge = Bridge { name: "br0", addresses: &addresses, mtu: None };
    let index = links(&host.0, |links| links.ensure_bridge(&bridge)).expect("it is made");
    assert_eq!(link(&host.0, "veth2").map(|link| link.master), Some(None));
    let port = |name| Port { name, isolated: false, hairpin: true };
    let ports = [port("veth2"), port("gone"), port("veth3")];
    // Whoever is on it already stays as he is.
    for _ in 0..2 {
        links(&host.0, |links| links.rejoin(index, &ports)).expect("they are put there");
        assert_eq!(link(&host.0, "veth3").map(|link| link.master), Some(Some(index)));
    }
    passes(&one.bind("10.9.0.2"), &other.bind("10.9.0.3"));
}

#[test]
fn mtu_and_names_are_those_of_the_description() {
    let host = Host::new();
    let container = Container { namespace: Namespace::new(), number: 2, ipv6: true };
    let change = |attach: &mut Attach<'_>| {
        attach.interface.mtu = Some(1350);
        attach.interface.name = "net7";
    };
    host.attach(&container, change).expect("it is attached");
    assert_eq!(link(&container.namespace, "net7").map(|link| link.mtu), Some(1350));
    assert_eq!(link(&host.0, "veth2").map(|link| link.mtu), Some(1350));
}

#[test]
fn isolated_ports_reach_the_host_and_not_one_another() {
    let host = Host::new();
    let containers: Vec<Container> = [2, 3]
        .map(|number| Container { namespace: Namespace::new(), number, ipv6: true })
        .into_iter()
        .inspect(|container| {
            host.attach(container, |attach| attach.port.isolated = true).expect("it is attached");
        })
        .collect();
    let free = host.container(4);
    let (one, other) = (containers[0].bind("10.9.0.2"), containers[1].bind("10.9.0.3"));
    let h = host.0.run(|| UdpSocket::bind(("10.9.0.1", 7)).expect("it has it"));
    let f = free.bind("10.9.0.4");
    for to in [&h, &f] {
        passes(&one, to);
        passes(to, &other);
    }
    // The neighbour is entered, so that this is sent at once; what is sent to the free one after it comes through the same
    // queues, so that the first would have arrived before.
    let neighbours = |links: &mut crate::link::Links| links.neighbours();
    one.send_to(b"lost", "10.9.0.3:7").expect("it is sent");
    passes(&one, &h);
    passes(&h, &other);
    other.set_nonblocking(true).expect("can be set");
    assert!(other.recv_from(&mut [0; 8]).is_err());
    let known = links(&containers[0].namespace, neighbours).expect("they are listed");
    let found = known.iter().find(|neighbour| neighbour.address == ip("10.9.0.3")).expect("it was asked for");
    assert_eq!(found.mac, None);
}

#[test]
fn a_wrong_attachment_leaves_nothing() {
    const GATEWAY: &[IpAddr] = &[IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))];
    let host = Host::new();
    let container = Container { namespace: Namespace::new(), number: 2, ipv6: true };
    let check = |change: fn(&mut Attach<'_>), kind, text: &str| {
        let error = host.attach(&container, change).expect_err("it is wrong");
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        assert_eq!((link(&host.0, "veth2"), link(&container.namespace, "eth0")), (None, None));
    };
    check(|attach| attach.bridge = "missing", ErrorKind::NotFound, "there is no bridge missing on this host");
    check(|attach| attach.bridge = "lo", ErrorKind::Conflict, "lo is a device of this host, not a bridge");
    check(
        |attach| attach.interface.name = "too-long-for-a-link",
        ErrorKind::Invalid,
        "\"too-long-for-a-link\" cannot be the name of a link",
    );
    check(
        |attach| attach.interface.name = "lo",
        ErrorKind::System,
        "making veth2 and lo in the container: File exists (os error 17)",
    );
    check(
        |attach| attach.interface.gateways = GATEWAY,
        ErrorKind::System,
        "adding a default route by 192.0.2.1 on eth0: Nexthop has invalid gateway: Network unreachable (os error 101)",
    );
    check(
        |attach| attach.interface.mac = Mac([1, 0, 0, 0, 0, 1]),
        ErrorKind::System,
        "making veth2 and eth0 in the container: Address not available (os error 99)",
    );
}

#[test]
fn a_name_of_an_earlier_run_is_taken_over() {
    let host = Host::new();
    let earlier = host.container(2);
    let later = host.container(2);
    assert_eq!(link(&earlier.namespace, "eth0"), None);
    let h = host.0.run(|| UdpSocket::bind(("10.9.0.1", 7)).expect("it has it"));
    passes(&later.bind("10.9.0.2"), &h);
    let before = link(&host.0, "lo");
    let error = host.attach(&earlier, |attach| attach.port.name = "lo").expect_err("it is no pair");
    assert_eq!(error.to_string(), "making lo and eth0 in the container: File exists (os error 17)");
    assert_eq!((link(&host.0, "lo"), setting(&host.0, "ipv6/conf/lo/addr_gen_mode")), (before, "0".into()));
}

#[test]
fn either_end_is_deleted_with_the_other() {
    let host = Host::new();
    let (one, other) = (host.container(2), host.container(3));
    for _ in 0..2 {
        links(&host.0, |links| links.delete("veth2")).expect("it is deleted");
        detach(other.namespace.fd(), "eth0").expect("it is deleted");
    }
    assert_eq!((link(&one.namespace, "eth0"), link(&host.0, "veth2")), (None, None));
    assert_eq!((link(&other.namespace, "eth0"), link(&host.0, "veth3")), (None, None));
    host.attach(&one, |_| {}).expect("it is attached again");
}

#[test]
fn a_second_interface_takes_over_the_way_out() {
    let host = Host::new();
    let container = host.container(2);
    let second = |attach: &mut Attach<'_>| {
        attach.interface.name = "eth1";
        attach.port.name = "veth2b";
        attach.interface.gateways = &[];
    };
    let again = Container { number: 3, ..container };
    host.attach(&again, second).expect("it is attached");
    let way = || links(&again.namespace, |links| links.route(Way::to(ip("192.0.2.1")))).expect("there is one").link;
    let index = |name: &str| link(&again.namespace, name).map(|link| link.index);
    assert_eq!(way(), index("eth0"));
    set_gateways(again.namespace.fd(), "eth1", &[ip("10.9.0.1"), ip("fd09::1")]).expect("they are set");
    assert_eq!(way(), index("eth1"));
    let error = set_gateways(again.namespace.fd(), "eth9", &[]).expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn many_attach_at_once() {
    let host = Host::new();
    let made = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (host, made) = (&host, &made);
            scope.spawn(move || {
                for number in 0..25_u8 {
                    let container = host.container(2 + thread * 25 + number);
                    made.lock().expect("nobody panics").push(container);
                }
            });
        }
    });
    let made = made.into_inner().expect("nobody panics");
    let ports = links(&host.0, crate::link::Links::list).expect("links are listed");
    assert_eq!(ports.iter().filter(|link| link.master.is_some()).count(), 100);
    let listener = host.0.run(|| UdpSocket::bind(("fd09::1", 7)).expect("it has it"));
    for container in &made {
        passes(&container.bind(&format!("fd09::{:x}", container.number)), &listener);
    }
    let loopback: SocketAddr = "[fd09::1]:7".parse().expect("is one");
    assert_eq!(listener.local_addr().ok(), Some(loopback));
}
