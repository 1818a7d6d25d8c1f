//! Containers on a link of the host, each with an address of its own there. Each test has a host of its own, and a machine
//! at the other end of the link.

use end_to_end::Result;
use end_to_end::lan::{Lan, OUTSIDE};
use end_to_end::namespace::Outcome;

#[test]
fn a_container_is_a_machine_beside_the_host() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    let addresses = ["--subnet", "192.0.2.0/24", "--ip-range", "192.0.2.64/28", "--gateway", OUTSIDE.0];
    let ipv6 = ["--subnet", "2001:db8::/64", "--gateway", OUTSIDE.1];
    let driver = ["network", "create", "-d", "macvlan", "-o", "parent=eth0"];
    phial.ok(&[&driver[..], &addresses, &ipv6, &["lan"]].concat())?;
    let flags = ["--network", "lan", "--ip6", "2001:db8::64", "--mac-address", "02:42:00:00:00:64"];
    let first = stage.idle(&[&["--name", "first"], &flags[..]].concat())?;
    let second = stage.idle(&["--name", "second", "--network", "lan"])?;
    let _beside = lan.outside.listen("[::]:9000")?;
    let _server = first.listen("[::]:80")?;
    // It has its own address on the link that the host is on, and the host no part in it.
    let own = phial.address("first", "lan")?;
    assert!(own.starts_with("192.0.2."), "{own}");
    assert_eq!(first.ask_tcp(OUTSIDE.0, 9000)?, own);
    assert_eq!(first.ask_tcp(OUTSIDE.1, 9000)?, "2001:db8::64");
    for address in [own.as_str(), "2001:db8::64"] {
        assert_eq!(lan.outside.ask_tcp(address, 80)?, if address == own { OUTSIDE.0 } else { OUTSIDE.1 });
        second.ask_tcp(address, 80)?;
    }
    let neighbour = lan.outside.ip(&format!("neigh show {own}"))?;
    assert!(neighbour.contains("02:42:00:00:00:64"), "{neighbour}");
    // The kernel keeps a parent apart from what is on it.
    lan.host.check_tcp(&own, 80, &Outcome::Unreachable)?;
    let link = first.sh("ip -o -d link show eth0")?;
    assert!(link.contains(" macvlan mode bridge "), "{link}");
    phial.ok(&["rm", "-f", "first", "second"])?;
    phial.ok(&["network", "rm", "lan"])?;
    lan.host.ip("link show eth0").map(drop)
}

#[test]
fn containers_beside_the_host_are_kept_apart() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let driver = ["network", "create", "-d", "macvlan", "-o", "parent=eth0", "-o", "macvlan_mode=private"];
    let addresses = ["--subnet", "192.0.2.0/24", "--ip-range", "192.0.2.64/28", "--gateway", OUTSIDE.0];
    stage.phial.ok(&[&driver[..], &addresses, &["lan"]].concat())?;
    let first = stage.idle(&["--name", "first", "--network", "lan"])?;
    let second = stage.idle(&["--network", "lan"])?;
    let _server = first.listen("[::]:80")?;
    let own = stage.phial.address("first", "lan")?;
    lan.outside.ask_tcp(&own, 80)?;
    second.check_tcp(&own, 80, &Outcome::Unreachable)
}
