//! Real packets: between containers, their host, and a machine beside it. Each test has a host of its own.

use end_to_end::lan::{HOST, Lan, OUTSIDE};
use end_to_end::{Result, Stage};

/// A program that tells everybody who comes to a port by TCP what address he has.
const TCP: &str = r#"
use IO::Socket::IP;
$server = IO::Socket::IP->new(LocalHost => $ARGV[0], LocalPort => $ARGV[1], Listen => 100, ReuseAddr => 1, V6Only => 0) or die $!;
$| = 1;
print "ready\n";
while ($client = $server->accept) { <$client>; print $client $client->peerhost, "\n"; close $client }
"#;

/// The same by UDP.
const UDP: &str = r#"
use IO::Socket::IP;
$server = IO::Socket::IP->new(LocalHost => $ARGV[0], LocalPort => $ARGV[1], Type => SOCK_DGRAM, V6Only => 0) or die $!;
$| = 1;
print "ready\n";
while (defined $server->recv($text, 100)) { $server->send($server->peerhost . "\n") }
"#;

/// A host with a program on it that has Debian's image, which has perl; by what the rules of its firewall are made.
fn host(firewall: &str) -> Result<(Lan, Stage)> {
    let lan = Lan::new()?;
    let mut stage = Stage::debian()?;
    stage.phial.enter(&lan.host.path());
    stage.phial.set("PHIAL_FIREWALL", firewall);
    Ok((lan, stage))
}

/// Starts a server in a container.
fn serve(stage: &Stage, flags: &[&str], program: &str, port: &str) -> Result<String> {
    let id = stage.start(flags, &["perl", "-e", program, "::", port])?;
    end_to_end::followed::Followed::start(&stage.phial, &["logs", "-f", &id])?.wait_for("ready")?;
    Ok(id)
}

/// An address of a container, as it is seen by others.
fn address(stage: &Stage, name: &str, key: &str) -> Result<String> {
    let inspected = stage.phial.inspect(name)?;
    Ok(inspected["NetworkSettings"][key].as_str().unwrap_or_default().to_owned())
}

/// The address as servers on dual-stack sockets see it.
fn mapped(address: &str) -> String {
    if address.contains(':') { address.to_owned() } else { format!("::ffff:{address}") }
}

fn a_published_port_is_reached_from_everywhere_and_knows_its_clients(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    for (program, protocol) in [(TCP, "tcp"), (UDP, "udp")] {
        serve(&stage, &["--name", protocol, "-p", &format!("8080:80/{protocol}")], program, "80")?;
        let ask = |machine: &end_to_end::lan::Machine, address: &str| match protocol {
            "tcp" => machine.ask_tcp(address, 8080),
            _ => machine.ask_udp(address, 8080),
        };
        assert_eq!(ask(&lan.outside, HOST.0)?, mapped(OUTSIDE.0), "{protocol}");
        assert_eq!(ask(&lan.outside, HOST.1)?, OUTSIDE.1, "{protocol}");
        assert_eq!(ask(&lan.host, HOST.0)?, mapped(HOST.0), "{protocol}");
        assert_eq!(ask(&lan.host, HOST.1)?, HOST.1, "{protocol}");
        // From loopback it is the bridge that calls: nobody could answer to 127.0.0.1.
        let gateway = stage.phial.inspect(protocol)?["NetworkSettings"]["Gateway"].as_str().unwrap_or("").to_owned();
        assert_eq!(ask(&lan.host, "127.0.0.1")?, mapped(&gateway), "{protocol}");
        assert!(!ask(&lan.host, "::1")?.is_empty(), "{protocol}");
    }
    Ok(())
}

fn what_is_not_published_is_reached_by_the_host_and_its_network_alone(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    serve(&stage, &["--name", "web"], TCP, "80")?;
    let (ipv4, ipv6) = (address(&stage, "web", "IPAddress")?, address(&stage, "web", "GlobalIPv6Address")?);
    // The machine beside knows the way, and is not let in.
    for (address, via) in [(&ipv4, HOST.0), (&ipv6, HOST.1)] {
        lan.outside.ip(&format!("route add {address} via {via}"))?;
        assert!(lan.outside.ask_tcp(address, 80).is_err(), "{address} is reached from outside");
        lan.host.ask_tcp(address, 80)?;
    }
    Ok(())
}

fn what_is_published_on_loopback_stays_there(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    serve(&stage, &["--name", "web", "-p", "127.0.0.1:8080:80"], TCP, "80")?;
    lan.host.ask_tcp("127.0.0.1", 8080)?;
    assert!(lan.host.ask_tcp(HOST.0, 8080).is_err());
    assert!(lan.outside.ask_tcp(HOST.0, 8080).is_err());
    // A neighbour that sends packets for 127.0.0.1 (CVE-2020-8558), and one that was told that it lies there.
    lan.outside.ip(&format!("route add 127.0.0.0/8 via {} dev eth0 table 7", HOST.0))?;
    lan.outside.ip("addr del 127.0.0.1/8 dev lo")?;
    lan.outside.sh("echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet")?;
    lan.outside.ip("rule add pref 0 from all lookup 7")?;
    assert!(lan.outside.ask_tcp("127.0.0.1", 8080).is_err());
    Ok(())
}

fn containers_of_one_network_know_one_another_and_nobody_else_does(firewall: &str) -> Result {
    let (_lan, stage) = host(firewall)?;
    let phial = &stage.phial;
    for network in ["one", "two"] {
        phial.ok(&["network", "create", network])?;
    }
    serve(&stage, &["--name", "web", "--network", "one", "--network-alias", "www"], TCP, "80")?;
    let call = |network: &str, name: &str| {
        let script = "use IO::Socket::IP; $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => 80, Timeout => 1) \
                      or die qq($@\\n); print $s qq(who\\n); print <$s>;";
        stage.run(&["--network", network], &["perl", "-e", script, name])
    };
    assert!(call("one", "web")?.success()?.trim().contains(':'));
    call("one", "www")?.success()?;
    call("one", "WEB")?.success()?;
    assert_ne!(call("two", "web")?.code, 0);
    let web = phial.inspect("web")?;
    let address = |key: &str| web["NetworkSettings"]["Networks"]["one"][key].as_str().unwrap_or("").to_owned();
    for own in [address("IPAddress"), address("GlobalIPv6Address")] {
        call("one", &own)?.success()?;
        assert_ne!(call("two", &own)?.code, 0, "{own} is reached from another network");
        assert_ne!(call("bridge", &own)?.code, 0, "{own} is reached from the default network");
    }
    Ok(())
}

fn an_internal_network_leads_nowhere(firewall: &str) -> Result {
    let (lan, stage) = host(firewall)?;
    stage.phial.ok(&["network", "create", "--internal", "cellar"])?;
    let inside = stage
        .sh(&["--network", "cellar"], "cat /proc/net/route; cat /proc/net/ipv6_route | grep -c ' 00000003 '; true")?;
    assert!(!inside.lines().any(|line| line.split_whitespace().nth(1) == Some("00000000")), "{inside}");
    let listener = lan.outside.within(|| Ok(std::net::TcpListener::bind((OUTSIDE.0, 9000))?))?;
    let call = |network: &str| {
        let script =
            "use IO::Socket::IP; IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => 9000, Timeout => 1) or die $@";
        stage.run(&["--network", network], &["perl", "-e", script, OUTSIDE.0])
    };
    call("bridge")?.success()?;
    assert_ne!(call("cellar")?.code, 0);
    drop(listener);
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
