//! Options of a network: what the kernel has of them, and what becomes of packets. Each test has a host of its own.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use end_to_end::lan::{HOST, Lan, OUTSIDE};
use end_to_end::namespace::{Namespace, Outcome};
use end_to_end::{Result, Stage};

/// A network with one option.
fn with_option(stage: &Stage, name: &str, option: &str) -> Result {
    stage.phial.ok(&["network", "create", "-o", &format!("com.docker.network.{option}"), name]).map(drop)
}

/// What `ip(8)` says of a link, in one line.
fn link(place: &Namespace, name: &str) -> Result<String> {
    place.sh(&format!("ip -o -d link show {name}"))
}

#[test]
fn the_largest_packet_is_the_networks() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    with_option(&stage, "narrow", "driver.mtu=1400")?;
    let narrow = stage.idle(&["--name", "narrow", "--network", "narrow"])?;
    assert!(link(&narrow, "eth0")?.contains(" mtu 1400 "), "{}", link(&narrow, "eth0")?);
    let links = lan.host.ip("-o link")?;
    let of_network: Vec<&str> = links.lines().filter(|line| line.contains("br-")).collect();
    // The bridge, and its port.
    assert!(of_network.len() == 2 && of_network.iter().all(|line| line.contains(" mtu 1400 ")), "{links}");
    // Segments of TCP are no larger than that, less 40 bytes of headers and 12 of its time stamps.
    let _server = lan.outside.listen("[::]:9000")?;
    let script = "exec 3<>/dev/tcp/$0/9000; ss -Htin dst $0";
    let told = narrow.run("bash", &["-c", script, OUTSIDE.0])?.success()?;
    assert!(told.contains(" mss:1348 "), "{told}");
    Ok(())
}

#[test]
fn addresses_are_given_as_it_is_said() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    let ipv4 = ["--subnet", "10.61.0.0/16", "--ip-range", "10.61.5.0/29", "--gateway", "10.61.5.1"];
    let ipv6 = ["--subnet", "fd00:61::/64", "--gateway", "fd00:61::9"];
    let aux = ["--aux-address", "router=10.61.5.2"];
    phial.ok(&[&["network", "create"], &ipv4[..], &aux, &ipv6, &["office"]].concat())?;
    let mut given = BTreeSet::new();
    let refused = loop {
        let words = ["run", "-d", "--network", "office", &stage.image, "sleep", "1000"];
        let output = phial.run(&words)?;
        if output.code != 0 {
            break output;
        }
        let address = phial.address(output.stdout.trim(), "office")?;
        let address: Ipv4Addr = address.parse().map_err(|_| end_to_end::Failure::new(&*address))?;
        assert!(given.insert(address), "{address} is given twice");
        assert!(given.len() <= 8, "{given:?}");
    };
    // The range has eight addresses, and two of them are the gateway's and the router's.
    let expected: BTreeSet<Ipv4Addr> = [0, 3, 4, 5, 6, 7].map(|last| Ipv4Addr::new(10, 61, 5, last)).into();
    assert_eq!(given, expected);
    assert!(refused.stderr.contains("office"), "{refused:?}");
    // By hand, any of the subnet.
    let flags = ["--name", "fixed", "--network", "office", "--ip", "10.61.9.9", "--ip6", "fd00:61::77"];
    let fixed = stage.idle(&flags)?;
    let own = fixed.sh("ip -o addr show eth0")?;
    assert!(own.contains(" 10.61.9.9/16 ") && own.contains(" fd00:61::77/64 "), "{own}");
    let ways = fixed.sh("ip route show default; ip -6 route show default")?;
    assert!(ways.contains("via 10.61.5.1 ") && ways.contains("via fd00:61::9 "), "{ways}");
    let _server = fixed.listen("[::]:80")?;
    assert_eq!(lan.host.ask_tcp("10.61.9.9", 80)?, "10.61.5.1");
    assert_eq!(lan.host.ask_tcp("fd00:61::77", 80)?, "fd00:61::9");
    Ok(())
}

#[test]
fn containers_of_a_network_are_kept_apart() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    with_option(&stage, "apart", "bridge.enable_icc=false")?;
    phial.ok(&["network", "create", "together"])?;
    let _outside = lan.outside.listen("[::]:9000")?;
    for (network, are_apart) in [("apart", true), ("together", false)] {
        let first = stage.idle(&["--name", network, "--network", network])?;
        let second = stage.idle(&["--network", network])?;
        let _server = first.listen("[::]:80")?;
        for key in ["IPAddress", "GlobalIPv6Address"] {
            let address = phial.place(network, network, key)?;
            if are_apart {
                // Nobody answers who has the address, which the kernel tells after some seconds.
                second.check_tcp(&address, 80, &Outcome::Unreachable)?;
            } else {
                second.ask_tcp(&address, 80)?;
            }
            // By way of the gateway, which would pass it on.
            let gateway = phial.place(network, network, if key == "IPAddress" { "Gateway" } else { "IPv6Gateway" })?;
            second.sh(&format!("ip route replace {address} via {gateway}"))?;
            if are_apart {
                second.check_tcp(&address, 80, &Outcome::Silence)?;
            }
            lan.host.ask_tcp(&address, 80)?;
        }
        second.ask_tcp(OUTSIDE.0, 9000)?;
        second.ask_tcp(OUTSIDE.1, 9000)?;
    }
    Ok(())
}

#[test]
fn packets_leave_with_the_address_that_is_said() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    with_option(&stage, "plain", "bridge.enable_ip_masquerade=false")?;
    let _server = lan.outside.listen("[::]:9000")?;
    for (network, is_plain) in [("plain", true), ("bridge", false)] {
        let from = stage.idle(&["--name", network, "--network", network])?;
        for (key, to, via) in [("IPAddress", OUTSIDE.0, HOST.0), ("GlobalIPv6Address", OUTSIDE.1, HOST.1)] {
            let own = phial.place(network, network, key)?;
            lan.outside.ip(&format!("route add {own} via {via}"))?;
            assert_eq!(from.ask_tcp(to, 9000)?, if is_plain { &own } else { via }, "{network}");
        }
    }
    Ok(())
}

#[test]
fn a_bridge_is_called_as_it_is_said() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    // One that somebody has made stays his.
    lan.host.ip("link add theirs type bridge")?;
    for (name, stays) in [("ours", false), ("theirs", true)] {
        with_option(&stage, name, &format!("bridge.name={name}"))?;
        let web = stage.idle(&["--name", name, "--network", name])?;
        let ports = lan.host.ip(&format!("-o link show master {name}"))?;
        assert_eq!(ports.lines().count(), 1, "{ports}");
        let _server = web.listen("[::]:80")?;
        assert_eq!(lan.host.ask_tcp(&phial.address(name, name)?, 80)?, phial.place(name, name, "Gateway")?, "{name}");
        phial.ok(&["rm", "-f", name])?;
        phial.ok(&["network", "rm", name])?;
        assert_eq!(lan.host.run("ip", &["link", "show", name])?.code == 0, stays, "{name}");
    }
    Ok(())
}

#[test]
fn interfaces_are_called_as_it_is_said() -> Result {
    let (_lan, stage) = Lan::with_stage()?;
    with_option(&stage, "lan", "container_iface_prefix=lan")?;
    let own = stage.idle(&["--network", "bridge", "--network", "lan"])?;
    let names = own.sh("ip -o link | cut -d ' ' -f 2 | cut -d @ -f 1 | sort")?;
    assert_eq!(names.lines().collect::<Vec<_>>(), ["eth0", "lan1", "lo:"]);
    Ok(())
}
