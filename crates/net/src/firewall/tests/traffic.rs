//! What passes and what does not.

use super::world::{Outcome, Server, Way, World, from};
use super::{endpoint, run};
use crate::testing::Namespace;
use crate::{Endpoint, Network, Protocol, Published};

const WEB: [&str; 2] = ["172.17.0.2/16", "fd00:1::2/64"];

/// The world with a server on `phial0` whose port 80 is published: everywhere as 8080, on loopback as 8081, on one
/// address as 8082.
struct Web {
    world: World,
    container: Namespace,
    server: Server,
    endpoint: Endpoint,
}

impl Web {
    fn new(way: Way) -> Web {
        let world = World::new(way);
        let container = world.container(0, &WEB);
        let server = Server::new(&container, "[::]:80");
        let ports = [("0.0.0.0", 8080, 80), ("::", 8080, 80), ("127.0.0.1", 8081, 80), ("192.0.2.1", 8082, 80)];
        let endpoint = endpoint("web", &["172.17.0.2", "fd00:1::2"], &ports);
        let web = Web { world, container, server, endpoint };
        web.replace();
        web
    }

    fn registers(&self) -> Vec<(&Network, &[Endpoint])> {
        let networks = self.world.networks.iter();
        networks
            .map(|one| (one, if one.link == "phial0" { std::slice::from_ref(&self.endpoint) } else { &[] }))
            .collect()
    }

    fn replace(&self) {
        self.world.firewall(|firewall| firewall.replace(&self.registers())).expect("it is taken");
    }

    fn is_intact(&self) -> bool {
        self.world.firewall(|firewall| firewall.is_intact(&self.registers())).expect("it answers")
    }
}

/// An address of IPv4 in a socket of IPv6.
fn mapped(address: &str) -> Outcome {
    from(&format!("::ffff:{address}"))
}

fn a_published_port_leads_to_its_container(way: Way) {
    let web = Web::new(way);
    let (server, world) = (&web.server, &web.world);
    assert_eq!(server.reached(&world.outside, "192.0.2.1:8080"), mapped("192.0.2.9"), "with the client's own address");
    assert_eq!(server.reached(&world.outside, "[2001:db8::1]:8080"), from("2001:db8::9"));
    assert_eq!(server.reached(&world.outside, "192.0.2.1:8082"), mapped("192.0.2.9"));
    assert_eq!(server.reached(&world.host, "127.0.0.1:8080"), mapped("172.17.0.1"));
    assert_eq!(server.reached(&world.host, "127.0.0.1:8081"), mapped("172.17.0.1"));
    assert_eq!(server.reached(&world.host, "192.0.2.1:8082"), mapped("192.0.2.1"));
    assert_eq!(server.reached(&world.host, "[2001:db8::1]:8080"), from("2001:db8::1"));
    let other = world.container(1, &["10.8.0.2/24"]);
    assert_eq!(server.reached(&other, "10.8.0.1:8080"), mapped("172.17.0.1"));
}

/// With and without `br_netfilter`, which shows the firewall packets within a bridge.
fn a_published_port_is_reached_from_its_own_network(way: Way) {
    let web = Web::new(way);
    let neighbour = web.world.container(0, &["172.17.0.3/16", "fd00:1::3/64"]);
    for shown in ["0", "1"] {
        web.world.host.run(|| {
            for family in ["iptables", "ip6tables"] {
                // Without the module there is no such file, and nothing is shown.
                let _ = std::fs::write(format!("/proc/sys/net/bridge/bridge-nf-call-{family}"), shown);
            }
        });
        let reached = |from, to| web.server.reached(from, to);
        assert_eq!(reached(&neighbour, "172.17.0.1:8080"), mapped("172.17.0.1"), "it is masqueraded");
        assert_eq!(reached(&neighbour, "[fd00:1::1]:8080"), from("fd00:1::1"));
        assert_eq!(reached(&web.container, "192.0.2.1:8080"), mapped("172.17.0.1"), "the server by itself");
    }
}

fn what_is_not_published_is_not_reached(way: Way) {
    let web = Web::new(way);
    let (server, world) = (&web.server, &web.world);
    let other = world.container(1, &["10.8.0.2/24"]);
    for (who, from, to) in [
        ("a machine outside", &world.outside, "172.17.0.2:80"),
        ("a machine outside", &world.outside, "[fd00:1::2]:80"),
        ("a machine outside", &world.outside, "172.17.0.2:8080"),
        ("a container of another network", &other, "172.17.0.2:80"),
    ] {
        assert_eq!(server.missed(from, to), Outcome::Silence, "{who} to {to}");
    }
    for (from, to) in [(&world.outside, "192.0.2.1:8081"), (&other, "10.8.0.1:8081"), (&other, "10.8.0.1:8082")] {
        assert_eq!(server.missed(from, to), Outcome::Refused, "{to}: published elsewhere");
    }
    let neighbour = world.container(0, &["172.17.0.3/16"]);
    assert_eq!(server.reached(&neighbour, "172.17.0.2:80"), mapped("172.17.0.3"), "its own network reaches it");
}

/// CVE-2020-8558, and ports of loopback from the link (moby#45610): somebody sends packets for 127.0.0.1 to the host.
fn nobody_else_reaches_loopback(way: Way) {
    let web = Web::new(way);
    let (server, world) = (&web.server, &web.world);
    let local = Server::new(&world.host, "127.0.0.1:25");
    let evil = world.container(0, &["172.17.0.4/16"]);
    for (namespace, router) in [(&world.outside, "192.0.2.1"), (&evil, "172.17.0.1")] {
        namespace.run(|| {
            std::fs::write("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1").expect("it is there");
            run("ip address flush dev lo");
            run(&format!("ip route add 127.0.0.1 via {router} dev eth0"));
        });
        assert_eq!(local.missed(namespace, "127.0.0.1:25"), Outcome::Silence, "a service of the host");
        for port in [8080, 8081] {
            assert_eq!(server.missed(namespace, &format!("127.0.0.1:{port}")), Outcome::Silence, "{router} {port}");
        }
    }
}

fn containers_have_the_hosts_address_outside(way: Way) {
    let web = Web::new(way);
    let (four, six) = (Server::new(&web.world.outside, "0.0.0.0:80"), Server::new(&web.world.outside, "[::]:81"));
    assert_eq!(four.reached(&web.container, "192.0.2.9:80"), from("192.0.2.1"));
    assert_eq!(six.reached(&web.container, "[2001:db8::9]:81"), from("2001:db8::1"));
}

fn an_internal_network_is_alone(way: Way) {
    let web = Web::new(way);
    let world = &web.world;
    let (one, other) = (world.container(2, &["10.7.0.2/24"]), world.container(2, &["10.7.0.3/24"]));
    let server = Server::new(&one, "0.0.0.0:80");
    let outside = Server::new(&world.outside, "0.0.0.0:80");
    assert_eq!(server.reached(&other, "10.7.0.2:80"), from("10.7.0.3"));
    assert_eq!(server.reached(&world.host, "10.7.0.2:80"), from("10.7.0.1"));
    assert_eq!(server.missed(&world.outside, "10.7.0.2:80"), Outcome::Silence);
    assert_eq!(server.missed(&web.container, "10.7.0.2:80"), Outcome::Silence);
    assert_eq!(outside.missed(&one, "192.0.2.9:80"), Outcome::Silence);
    assert_eq!(web.server.missed(&one, "192.0.2.1:8080"), Outcome::Silence, "a published port leads elsewhere");
    let mut published = endpoint("inside", &["10.7.0.2"], &[("0.0.0.0", 9090, 80)]);
    published.names.clear();
    world.firewall(|firewall| firewall.publish(&world.networks[2], &published)).expect("there is nothing to do");
    assert_eq!(server.missed(&world.outside, "192.0.2.1:9090"), Outcome::Refused);
}

fn datagrams_are_led_as_well(way: Way) {
    let web = Web::new(way);
    let mut endpoint = web.endpoint.clone();
    endpoint.ports =
        vec![Published { protocol: Protocol::Udp, host: super::world::ip("0.0.0.0"), host_port: 5353, port: 53 }];
    web.world.firewall(|firewall| firewall.publish(&web.world.networks[0], &endpoint)).expect("it is taken");
    let bind = |namespace: &Namespace, at: &'static str| {
        let socket = namespace.run(|| std::net::UdpSocket::bind(at)).expect("the address is there");
        socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("it is not zero");
        socket
    };
    let (server, client) = (bind(&web.container, "0.0.0.0:53"), bind(&web.world.outside, "0.0.0.0:0"));
    client.send_to(b"question", "192.0.2.1:5353").expect("there is a route");
    let mut buffer = [0; 16];
    let (length, peer) = server.recv_from(&mut buffer).expect("it arrives");
    assert_eq!((&buffer[..length], peer.ip()), (&b"question"[..], super::world::ip("192.0.2.9")));
    server.send_to(b"answer", peer).expect("there is a route");
    let (length, peer) = client.recv_from(&mut buffer).expect("it comes back");
    assert_eq!((&buffer[..length], peer.to_string()), (&b"answer"[..], "192.0.2.1:5353".to_owned()));
}

fn ports_come_and_go(way: Way) {
    let web = Web::new(way);
    let (server, world) = (&web.server, &web.world);
    let network = &world.networks[0];
    let firewall = |work: &(dyn Fn(&mut crate::firewall::Firewall) -> crate::Result<()> + Sync)| {
        world.firewall(work).expect("it is taken");
    };
    firewall(&|firewall| firewall.unpublish(network, &web.endpoint));
    assert!(!web.is_intact(), "elements are missing");
    assert_eq!(server.missed(&world.outside, "192.0.2.1:8080"), Outcome::Refused);
    firewall(&|firewall| firewall.unpublish(network, &web.endpoint));
    firewall(&|firewall| firewall.publish(network, &web.endpoint));
    firewall(&|firewall| firewall.publish(network, &web.endpoint));
    assert!(web.is_intact());
    let stale = endpoint("stale", &["172.17.0.77"], &[("0.0.0.0", 8080, 80)]);
    firewall(&|firewall| firewall.publish(network, &stale));
    assert!(!web.is_intact(), "an element leads elsewhere");
    firewall(&|firewall| firewall.publish(network, &web.endpoint));
    assert_eq!(server.reached(&world.outside, "192.0.2.1:8080"), mapped("192.0.2.9"));
}

fn networks_come_and_go(way: Way) {
    let web = Web::new(way);
    let (world, registers) = (&web.world, web.registers());
    let other = &world.networks[1];
    world.firewall(|firewall| {
        firewall.remove_network(other).expect("it is taken");
        assert!(!firewall.is_intact(&registers).expect("it answers"));
        assert!(firewall.is_intact(&registers[..1]).expect("it answers"), "the others are as they were");
        firewall.remove_network(other).expect("that it is gone is no error");
        firewall.replace(&registers).expect("it is taken");
        assert!(firewall.is_intact(&registers).expect("it answers"));
        firewall.remove(&[]).expect("it is taken");
        firewall.remove_network(other).expect("that the table is gone is no error");
        let error = firewall.publish(&world.networks[0], &web.endpoint).expect_err("the table is gone");
        assert_eq!(error.errno(), Some(rustix::io::Errno::NOENT), "{error}");
    });
}

fn what_others_break_is_noticed_and_put_right(way: Way) {
    let web = Web::new(way);
    for breakage in breakages(way) {
        assert!(web.is_intact());
        web.world.host.run(|| run(&breakage));
        assert!(!web.is_intact(), "{breakage}");
        web.replace();
    }
    assert_eq!(web.server.reached(&web.world.outside, "192.0.2.1:8080"), mapped("192.0.2.9"));
}

/// What others do, in the words of their programs.
fn breakages(way: Way) -> Vec<String> {
    let nft = [
        "nft flush ruleset",
        "nft delete table inet phial",
        "nft flush table inet phial",
        "nft flush chain inet phial forward",
        "nft flush chain inet phial forward-to-phial0",
        "nft flush set inet phial bridges",
        "nft flush map inet phial forward-to",
        "nft flush map inet phial published-ip",
        "nft insert rule inet phial published accept",
    ];
    let iptables = [
        "-t nat -F",
        "-F FORWARD",
        "-t mangle -F PHIAL-FORWARD",
        "-t raw -D PREROUTING -j PHIAL-GUARD",
        "-t nat -D PHIAL-PORTS 1",
        "-t mangle -I PHIAL-FORWARD -j ACCEPT",
        "-t nat -I PREROUTING ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j PHIAL-PORTS",
    ];
    match way {
        Way::Nftables => nft.map(str::to_owned).to_vec(),
        Way::Iptables => iptables.map(|words| format!("iptables-nft {words}")).to_vec(),
        Way::Legacy => iptables.map(|words| format!("iptables-legacy {words}")).to_vec(),
    }
}

/// Every test with every way.
macro_rules! with_each {
    ($($test:ident),+ $(,)?) => {
        mod nftables {
            $(#[test] fn $test() { super::$test(super::Way::Nftables); })+
        }
        mod iptables {
            $(#[test] fn $test() { super::$test(super::Way::Iptables); })+
        }
        mod legacy {
            $(#[test] fn $test() { super::$test(super::Way::Legacy); })+
        }
    };
}

with_each!(
    a_published_port_leads_to_its_container,
    a_published_port_is_reached_from_its_own_network,
    what_is_not_published_is_not_reached,
    nobody_else_reaches_loopback,
    containers_have_the_hosts_address_outside,
    an_internal_network_is_alone,
    datagrams_are_led_as_well,
    ports_come_and_go,
    networks_come_and_go,
    what_others_break_is_noticed_and_put_right,
);
