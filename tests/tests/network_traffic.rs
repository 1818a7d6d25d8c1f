//! Real packets: between containers, their host, and a machine beside it. Each test has a host of its own.

use end_to_end::lan::{HOST, Lan, OUTSIDE};
use end_to_end::namespace::{Namespace, Outcome};
use end_to_end::{Context, Result, Stage};

/// The gateways of a network.
const GATEWAYS: &str = "{{range .IPAM.Config}}{{.Gateway}} {{end}}";

/// A host with a program on it; by what the rules of its firewall are made.
fn host(firewall: &str) -> Result<(Lan, Stage)> {
    let (lan, mut stage) = Lan::with_stage()?;
    stage.phial.set("PHIAL_FIREWALL", firewall);
    Ok((lan, stage))
}

fn a_published_port_is_reached_from_everywhere_and_knows_its_clients(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    let published = ["-p", "8080:80/tcp", "-p", "8080:80/udp"];
    let web = stage.idle(&[&["--name", "web"], &published[..]].concat())?;
    let (_tcp, _udp) = (web.listen("[::]:80")?, web.listen_for_datagrams("[::]:80")?);
    let gateway = |key: &str| stage.phial.place("web", "bridge", key);
    // From loopback it is the bridge that calls: nobody could answer to 127.0.0.1.
    let (ipv4, ipv6) = (gateway("Gateway")?, gateway("IPv6Gateway")?);
    for (from, to, expected) in [
        (&lan.outside, HOST.0, OUTSIDE.0),
        (&lan.outside, HOST.1, OUTSIDE.1),
        (&lan.host, HOST.0, HOST.0),
        (&lan.host, HOST.1, HOST.1),
        (&lan.host, "127.0.0.1", &ipv4),
        (&lan.host, "::1", &ipv6),
    ] {
        assert_eq!(from.ask_tcp(to, 8080)?, expected, "{to} by TCP");
        assert_eq!(from.ask_udp(to, 8080)?, expected, "{to} by UDP");
    }
    Ok(())
}

fn what_is_not_published_is_reached_by_the_host_and_its_network_alone(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    let (web, near) = (stage.idle(&["--name", "web"])?, stage.idle(&[])?);
    let _server = web.listen("[::]:80")?;
    let address = |key: &str| stage.phial.place("web", "bridge", key);
    let (ipv4, ipv6) = (address("IPAddress")?, address("GlobalIPv6Address")?);
    // The machine beside knows the way, and is not let in.
    for (address, via) in [(&ipv4, HOST.0), (&ipv6, HOST.1)] {
        lan.outside.ip(&format!("route add {address} via {via}"))?;
        lan.outside.check_tcp(address, 80, &Outcome::Silence).context(format!("{address} from outside"))?;
        lan.host.ask_tcp(address, 80)?;
        near.ask_tcp(address, 80)?;
    }
    Ok(())
}

fn what_is_published_on_loopback_stays_there(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    let web = stage.idle(&["-p", "127.0.0.1:8080:80"])?;
    let _server = web.listen("[::]:80")?;
    lan.host.ask_tcp("127.0.0.1", 8080)?;
    lan.host.check_tcp(HOST.0, 8080, &Outcome::Refused)?;
    lan.outside.check_tcp(HOST.0, 8080, &Outcome::Refused)?;
    lan.aim_at_loopback()?;
    lan.outside.check_tcp("127.0.0.1", 8080, &Outcome::Silence)
}

fn containers_of_one_network_know_one_another_and_nobody_else_does(firewall: &str) -> Result {
    let (_lan, stage) = host(firewall)?;
    let phial = &stage.phial;
    for network in ["one", "two"] {
        phial.ok(&["network", "create", network])?;
    }
    let web = stage.idle(&["--name", "web", "--network", "one", "--network-alias", "www"])?;
    let _server = web.listen("[::]:80")?;
    let places = ["one", "two", "bridge"].map(|name| stage.idle(&["--name", name, "--network", name]));
    let [one, two, bridge] = places;
    let (one, two, bridge) = (one?, two?, bridge?);
    let own = phial.address("web", "one")?;
    for name in ["web", "www", "WEB"] {
        assert_eq!(phial.lookup("one", name)?.as_deref(), Some(&*own), "{name}");
        for other in ["two", "bridge"] {
            assert_eq!(phial.lookup(other, name)?, None, "{name} in {other}");
        }
    }
    for own in [phial.address("web", "one")?, phial.place("web", "one", "GlobalIPv6Address")?] {
        one.ask_tcp(&own, 80)?;
        two.check_tcp(&own, 80, &Outcome::Silence).context("from another network")?;
        bridge.check_tcp(&own, 80, &Outcome::Silence).context("from the default network")?;
    }
    Ok(())
}

fn an_internal_network_leads_nowhere(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    stage.phial.ok(&["network", "create", "--internal", "cellar"])?;
    let (bridge, cellar) = (stage.idle(&[])?, stage.idle(&["--network", "cellar"])?);
    let ways = |from: &Namespace| from.sh("ip route show default; ip -6 route show default");
    assert_eq!(ways(&bridge)?.lines().count(), 2, "{}", ways(&bridge)?);
    assert_eq!(ways(&cellar)?, "");
    // Not even if somebody in it says where the way is.
    for family in ["-4", "-6"] {
        let gateway = stage.phial.ok(&["network", "inspect", "-f", GATEWAYS, "cellar"])?;
        let gateway = gateway.split_whitespace().find(|address| address.contains(':') == (family == "-6"));
        let gateway = gateway.context(format!("no gateway of ip {family}"))?;
        cellar.sh(&format!("ip {family} route add default via {gateway}"))?;
    }
    for address in [OUTSIDE.0, OUTSIDE.1] {
        let server = if address.contains(':') { format!("[{address}]:9000") } else { format!("{address}:9000") };
        let _server = lan.outside.listen(&server)?;
        bridge.ask_tcp(address, 9000)?;
        cellar.check_tcp(address, 9000, &Outcome::Silence)?;
    }
    Ok(())
}

/// Every test with every backend of the firewall.
macro_rules! with_each {
    ($($test:ident),+ $(,)?) => {
        mod nftables {
            $(#[test] fn $test() -> end_to_end::Result { super::$test("nftables") })+
        }
        mod iptables {
            $(#[test] fn $test() -> end_to_end::Result { super::$test("iptables") })+
        }
    };
}

with_each!(
    a_published_port_is_reached_from_everywhere_and_knows_its_clients,
    what_is_not_published_is_reached_by_the_host_and_its_network_alone,
    what_is_published_on_loopback_stays_there,
    containers_of_one_network_know_one_another_and_nobody_else_does,
    an_internal_network_leads_nowhere,
);
