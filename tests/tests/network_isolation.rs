//! What a container's network keeps from it, and from others: the attacks of section G of the list of breakouts. Each test
//! has a host of its own.

use end_to_end::lan::{HOST, Lan};
use end_to_end::namespace::{Change, Outcome};
use end_to_end::{Context, Result};

/// A router advertisement to everybody on the link (RFC 4861, 4.2), with a prefix to make addresses from. Its
/// arguments are the prefix and the number of the link.
const ADVERTISE: &str = r#"
use Socket qw(:all);
socket($raw, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
setsockopt($raw, 41, 18, pack("i", 255)) or die "hops: $!";
$prefix = pack("CCCCNNN", 3, 4, 64, 0xc0, 86400, 86400, 0) . inet_pton(AF_INET6, $ARGV[0]);
$advertisement = pack("CCnCCnNN", 134, 0, 0, 64, 0, 1800, 0, 0) . $prefix;
send($raw, $advertisement, 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, "ff02::1"), $ARGV[1])) or die "send: $!";
"#;

#[test]
fn a_container_does_not_become_the_hosts_router() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let neighbour = stage.idle(&["--name", "router"])?;
    // Advertisements come from addresses of the link alone, which are looked at for a second before they are used.
    neighbour.wait_until(Change::AddressOfIpv6, || {
        let own = neighbour.sh("ip -6 -o addr show dev eth0 scope link")?;
        Ok(!own.is_empty() && !own.contains("tentative"))
    })?;
    let index = neighbour.sh("ip -o link show eth0 | cut -d : -f 1")?;
    let advertise = |prefix: &str| neighbour.run("perl", &["-e", ADVERTISE, prefix, &index])?.success().map(drop);
    advertise("2001:db8:bad::")?;
    assert_eq!(lan.host.sh("cat /proc/sys/net/ipv6/conf/phial-*/accept_ra")?, "0");
    // The same advertisement is followed by a bridge that listens to such: it is a real one, and it has come.
    lan.host.sh("for file in /proc/sys/net/ipv6/conf/phial-*/accept_ra; do echo 2 > $file; done")?;
    advertise("2001:db8:900d::")?;
    lan.host.wait_until(Change::RouteOfIpv6, || {
        let routes = lan.host.ip("-6 route")?;
        Ok(routes.contains("2001:db8:900d::/64")
            && routes.lines().any(|line| line.contains("default") && line.contains("proto ra")))
    })?;
    // CVE-2020-13401: of the one before there is neither an address nor a route.
    for what in ["-6 addr", "-6 route"] {
        let found = lan.host.ip(what)?;
        assert!(!found.contains("2001:db8:bad"), "{found}");
    }
    let routers = lan.host.ip("-6 route show default")?;
    assert_eq!(routers.lines().filter(|line| line.contains("proto ra")).count(), 1, "{routers}");
    Ok(())
}

#[test]
fn nothing_of_ours_listens_beside_what_is_published() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    stage.phial.ok(&["network", "create", "web"])?;
    stage.start(&["--name", "web", "--network", "web", "-p", "8080:80"], &["sleep", "1000"])?;
    let listeners = lan.host.sh("ss -Hlntu")?;
    assert!(listeners.lines().count() == 1 && listeners.contains(":8080"), "{listeners}");
    // CVE-2020-15257: a container in the host's network finds no socket of an engine there.
    let abstract_sockets = stage.sh(&["--network", "host"], "grep -c @ /proc/net/unix || true")?;
    assert_eq!(abstract_sockets, "0");
    Ok(())
}

#[test]
fn without_ipv6_there_is_no_address_of_it() -> Result {
    let (_lan, stage) = Lan::with_stage()?;
    stage.phial.ok(&["network", "create", "--ipv6=false", "four"])?;
    stage.phial.ok(&["network", "create", "--internal", "--ipv6=false", "cellar"])?;
    for network in ["four", "cellar"] {
        // CVE-2024-32473: not even a link-local one.
        assert_eq!(stage.sh(&["--network", network], "grep -v ' lo$' /proc/net/if_inet6 || true")?, "", "{network}");
    }
    Ok(())
}

#[test]
fn loopback_is_closed_after_a_flush_as_well() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let server = stage.idle(&["--name", "web", "-p", "127.0.0.1:8080:80"])?;
    let _server = server.listen("[::]:80")?;
    let web = stage.phial.address("web", "bridge")?;
    // A neighbour that knows the way to the container, and one that sends packets for 127.0.0.1.
    lan.outside.ip(&format!("route add {web} via {}", HOST.0))?;
    lan.aim_at_loopback()?;
    let check = |when: &str| -> Result {
        lan.host.ask_tcp("127.0.0.1", 8080).context(when)?;
        lan.outside.check_tcp("127.0.0.1", 8080, &Outcome::Silence).context(format!("loopback {when}"))?;
        lan.outside.check_tcp(&web, 80, &Outcome::Silence).context(format!("the container {when}"))?;
        Ok(())
    };
    check("at first")?;
    // CVE-2025-54388.
    lan.host.sh("nft flush ruleset")?;
    lan.outside.check_tcp("127.0.0.1", 8080, &Outcome::Silence).context("loopback without rules")?;
    stage.phial.ok(&["network", "reload"])?;
    check("after the reload")?;
    lan.host.sh("nft flush ruleset")?;
    stage.run(&[], &["true"])?.success()?;
    check("after another container has started")
}
