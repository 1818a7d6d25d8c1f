//! Real packets: between containers, their host, and a machine beside it. Each test has a host of its own.

use end_to_end::lan::{HOST, Lan, OUTSIDE};
use end_to_end::namespace::{Namespace, Outcome, SERVER, SERVER_OF_DATAGRAMS};
use end_to_end::{Context, Result, Stage};

/// The gateways of a network.
const GATEWAYS: &str = "{{range .IPAM.Config}}{{.Gateway}} {{end}}";

/// A host with a program on it that has Debian's image; by what the rules of its firewall are made.
fn host(firewall: &str) -> Result<(Lan, Stage)> {
    let (lan, mut stage) = Lan::with_debian()?;
    stage.phial.set("PHIAL_FIREWALL", firewall);
    Ok((lan, stage))
}

/// Starts a server in a container.
fn serve(stage: &Stage, flags: &[&str], program: &str) -> Result<String> {
    stage.start_when_ready(flags, &["perl", "-e", program, "::", "80"])
}

/// The address as servers on dual-stack sockets see it.
fn mapped(address: &str) -> String {
    if address.contains(':') { address.to_owned() } else { format!("::ffff:{address}") }
}

fn a_published_port_is_reached_from_everywhere_and_knows_its_clients(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    for (program, protocol) in [(SERVER, "tcp"), (SERVER_OF_DATAGRAMS, "udp")] {
        serve(&stage, &["--name", protocol, "-p", &format!("8080:80/{protocol}")], program)?;
        let ask = |from: &Namespace, address: &str| match protocol {
            "tcp" => from.ask_tcp(address, 8080),
            _ => from.ask_udp(address, 8080),
        };
        assert_eq!(ask(&lan.outside, HOST.0)?, mapped(OUTSIDE.0), "{protocol}");
        assert_eq!(ask(&lan.outside, HOST.1)?, OUTSIDE.1, "{protocol}");
        assert_eq!(ask(&lan.host, HOST.0)?, mapped(HOST.0), "{protocol}");
        assert_eq!(ask(&lan.host, HOST.1)?, HOST.1, "{protocol}");
        // From loopback it is the bridge that calls: nobody could answer to 127.0.0.1.
        let gateway = |key: &str| stage.phial.place(protocol, "bridge", key);
        assert_eq!(ask(&lan.host, "127.0.0.1")?, mapped(&gateway("Gateway")?), "{protocol}");
        assert_eq!(ask(&lan.host, "::1")?, gateway("IPv6Gateway")?, "{protocol}");
    }
    Ok(())
}

fn what_is_not_published_is_reached_by_the_host_and_its_network_alone(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    serve(&stage, &["--name", "web"], SERVER)?;
    let address = |key: &str| stage.phial.place("web", "bridge", key);
    let (ipv4, ipv6) = (address("IPAddress")?, address("GlobalIPv6Address")?);
    // The machine beside knows the way, and is not let in.
    for (address, via) in [(&ipv4, HOST.0), (&ipv6, HOST.1)] {
        lan.outside.ip(&format!("route add {address} via {via}"))?;
        lan.outside.check_tcp(address, 80, &Outcome::Silence).context(format!("{address} from outside"))?;
        lan.host.ask_tcp(address, 80)?;
    }
    Ok(())
}

fn what_is_published_on_loopback_stays_there(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    serve(&stage, &["--name", "web", "-p", "127.0.0.1:8080:80"], SERVER)?;
    lan.host.ask_tcp("127.0.0.1", 8080)?;
    lan.host.check_tcp(HOST.0, 8080, &Outcome::Refused)?;
    lan.outside.check_tcp(HOST.0, 8080, &Outcome::Refused)?;
    lan.aim_at_loopback()?;
    lan.outside.check_tcp("127.0.0.1", 8080, &Outcome::Silence)?;
    Ok(())
}

fn containers_of_one_network_know_one_another_and_nobody_else_does(firewall: &str) -> Result {
    let (_lan, stage) = host(firewall)?;
    let phial = &stage.phial;
    for network in ["one", "two"] {
        phial.ok(&["network", "create", network])?;
    }
    serve(&stage, &["--name", "web", "--network", "one", "--network-alias", "www"], SERVER)?;
    let call = |network: &str, name: &str| {
        let script = "use IO::Socket::IP; $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => 80, Timeout => 1) \
                      or die qq($@\\n); print $s qq(who\\n); print <$s>;";
        stage.run(&["--network", network], &["perl", "-e", script, name])
    };
    assert!(call("one", "web")?.success()?.trim().contains(':'));
    call("one", "www")?.success()?;
    call("one", "WEB")?.success()?;
    assert_ne!(call("two", "web")?.code, 0);
    for network in ["one", "two", "bridge"] {
        stage.start(&["--name", &format!("in-{network}"), "--network", network], &["sleep", "1000"])?;
    }
    for own in [phial.address("web", "one")?, phial.place("web", "one", "GlobalIPv6Address")?] {
        phial.namespace("in-one")?.ask_tcp(&own, 80)?;
        for network in ["two", "bridge"] {
            let from = phial.namespace(&format!("in-{network}"))?;
            from.check_tcp(&own, 80, &Outcome::Silence).context(format!("{own} from {network}"))?;
        }
    }
    Ok(())
}

fn an_internal_network_leads_nowhere(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    stage.phial.ok(&["network", "create", "--internal", "cellar"])?;
    for name in ["bridge", "cellar"] {
        stage.start(&["--name", name, "--network", name], &["sleep", "1000"])?;
    }
    let (bridge, cellar) = (stage.phial.namespace("bridge")?, stage.phial.namespace("cellar")?);
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
