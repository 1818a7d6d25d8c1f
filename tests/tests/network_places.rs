//! What is asked for at a container's place on a network: addresses, the way out, the interface. Each test has a host of its
//! own.

use end_to_end::lan::{HOST, Lan, OUTSIDE};
use end_to_end::namespace::Namespace;
use end_to_end::{Result, Stage};

const IFNAME: &str = "driver-opt=com.docker.network.endpoint.ifname";
const SYSCTLS: &str = "driver-opt=com.docker.network.endpoint.sysctls";

/// A host with two networks.
fn host() -> Result<(Lan, Stage)> {
    let (lan, stage) = Lan::with_stage()?;
    for (name, number) in [("one", "1"), ("two", "2")] {
        let subnets = ["--subnet", &format!("10.61.{number}.0/24"), "--subnet", &format!("fd00:{number}::/64")];
        stage.phial.ok(&[&["network", "create"], &subnets[..], &[name]].concat())?;
    }
    Ok((lan, stage))
}

/// The gateways of both families.
fn ways_out(place: &Namespace) -> Result<Vec<String>> {
    let routes = place.sh("ip route show default; ip -6 route show default")?;
    Ok(routes.lines().filter_map(|line| line.split_whitespace().nth(2)).map(str::to_owned).collect())
}

#[test]
fn a_container_has_the_addresses_that_it_asks_for() -> Result {
    let (lan, stage) = host()?;
    let value = "name=two,ip=10.61.2.50,ip6=fd00:2::50,mac-address=02:42:00:00:00:50";
    let flags = ["--network", "one", "--ip", "10.61.1.40", "--ip6", "fd00:1::40", "--mac-address", "02:42:00:00:00:40"];
    let own = stage.idle(&[&flags[..], &["--network", value]].concat())?;
    let _server = own.listen("[::]:80")?;
    for (interface, number, last) in [("eth0", 1, 40), ("eth1", 2, 50)] {
        let (ipv4, ipv6) = (format!("10.61.{number}.{last}"), format!("fd00:{number}::{last}"));
        let found = own.sh(&format!("ip -o addr show {interface}; ip -o link show {interface}"))?;
        for expected in [format!(" {ipv4}/24 "), format!(" {ipv6}/64 "), format!(" 02:42:00:00:00:{last} ")] {
            assert!(found.contains(&expected), "{expected}: {found}");
        }
        for address in [&ipv4, &ipv6] {
            lan.host.ask_tcp(address, 80)?;
            // Who has called knows the hardware behind the address.
            let neighbour = lan.host.ip(&format!("neigh show {address}"))?;
            assert!(neighbour.contains(&format!("02:42:00:00:00:{last}")), "{neighbour}");
        }
    }
    Ok(())
}

#[test]
fn the_way_out_is_the_network_of_the_highest_priority() -> Result {
    let (lan, stage) = host()?;
    let _outside = lan.outside.listen("[::]:9000")?;
    for (first, second, number) in [
        ("name=one", "name=two", 1),
        ("name=one", "name=two,gw-priority=10", 2),
        ("name=one,gw-priority=-1", "name=two", 2),
        ("name=one,gw-priority=20", "name=two,gw-priority=10", 1),
    ] {
        let own = stage.idle(&["--name", "own", "--network", first, "--network", second, "-p", "8080:80"])?;
        let expected = [format!("10.61.{number}.1"), format!("fd00:{number}::1")];
        assert_eq!(ways_out(&own)?, expected, "{first} {second}");
        let _server = own.listen("[::]:80")?;
        for (outside, of_host) in [(OUTSIDE.0, HOST.0), (OUTSIDE.1, HOST.1)] {
            assert_eq!(own.ask_tcp(outside, 9000)?, of_host);
            assert_eq!(lan.outside.ask_tcp(of_host, 8080)?, outside, "{first} {second}");
        }
        stage.phial.ok(&["rm", "-f", "own"])?;
    }
    Ok(())
}

#[test]
fn an_interface_is_called_and_set_as_it_is_said() -> Result {
    let (lan, stage) = host()?;
    let renamed = format!("name=one,{IFNAME}=wan0");
    let settings = "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.IFNAME.hop_limit=7";
    let set = format!("name=two,\"{SYSCTLS}={settings}\"");
    let own = stage.idle(&["--name", "own", "--network", &renamed, "--network", &set])?;
    let names = own.sh("ip -o link | cut -d ' ' -f 2 | cut -d @ -f 1 | sort")?;
    assert_eq!(names.lines().collect::<Vec<_>>(), ["eth1", "lo:", "wan0"]);
    assert_eq!(ways_out(&own)?, ["10.61.1.1", "fd00:1::1"]);
    let value = |path: &str| own.sh(&format!("cat /proc/sys/net/{path}"));
    for (interface, martians, hops) in [("wan0", "0", "64"), ("eth1", "1", "7")] {
        assert_eq!(value(&format!("ipv4/conf/{interface}/log_martians"))?, martians, "{interface}");
        assert_eq!(value(&format!("ipv6/conf/{interface}/hop_limit"))?, hops, "{interface}");
    }
    let _server = own.listen("[::]:80")?;
    for network in ["one", "two"] {
        lan.host.ask_tcp(&stage.phial.address("own", network)?, 80)?;
    }
    Ok(())
}
