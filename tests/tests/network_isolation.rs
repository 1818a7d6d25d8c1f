//! What a container's network keeps from it, and from others: the attacks of section G of the list of breakouts. Each test
//! has a host of its own.

use end_to_end::followed::Followed;
use end_to_end::lan::{HOST, Lan};
use end_to_end::{Result, Stage};

/// A host with a program on it that has Debian's image, which has perl.
fn host() -> Result<(Lan, Stage)> {
    let lan = Lan::new()?;
    let mut stage = Stage::debian()?;
    stage.phial.enter(&lan.host.path());
    Ok((lan, stage))
}

/// A router advertisement to everybody on the link (RFC 4861, 4.2), with a prefix to make addresses from.
const ADVERTISE: &str = r#"
use Socket qw(:all);
open $file, "<", "/sys/class/net/eth0/ifindex" or die;
chomp($index = <$file>);
socket($raw, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
setsockopt($raw, 41, 18, pack("i", 255)) or die "hops: $!";
$prefix = pack("CCCCNNN", 3, 4, 64, 0xc0, 86400, 86400, 0) . inet_pton(AF_INET6, "2001:db8:bad::");
$advertisement = pack("CCnCCnNN", 134, 0, 0, 64, 0, 1800, 0, 0) . $prefix;
send($raw, $advertisement, 0, pack_sockaddr_in6(0, inet_pton(AF_INET6, "ff02::1"), $index)) or die "send: $!";
print "sent\n";
"#;

#[test]
fn a_container_does_not_become_the_hosts_router() -> Result {
    let (lan, stage) = host()?;
    assert_eq!(stage.run(&[], &["perl", "-e", ADVERTISE])?.success()?, "sent\n");
    // CVE-2020-13401: neither an address nor a route of it.
    let addresses = lan.host.ip("-6 addr")?;
    assert!(!addresses.contains("2001:db8:bad"), "{addresses}");
    let routes = lan.host.ip("-6 route")?;
    assert!(!routes.contains("proto ra") && !routes.contains("2001:db8:bad"), "{routes}");
    let accepted = lan.host.sh("cat /proc/sys/net/ipv6/conf/phial-*/accept_ra")?;
    assert_eq!(accepted, "0");
    Ok(())
}

#[test]
fn nothing_of_ours_listens_beside_what_is_published() -> Result {
    let (lan, stage) = host()?;
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
    let (_lan, stage) = host()?;
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
    let (lan, stage) = host()?;
    let server = "use IO::Socket::IP; $s = IO::Socket::IP->new(LocalHost => '::', LocalPort => 80, Listen => 9, V6Only => 0) \
                  or die; $| = 1; print qq(ready\\n); while ($c = $s->accept) { <$c>; print $c qq(hi\\n); close $c }";
    let id = stage.start(&["-p", "127.0.0.1:8080:80"], &["perl", "-e", server])?;
    Followed::start(&stage.phial, &["logs", "-f", &id])?.wait_for("ready")?;
    let closed = |when: &str| assert!(lan.outside.ask_tcp(HOST.0, 8080).is_err(), "it is open {when}");
    lan.host.ask_tcp("127.0.0.1", 8080)?;
    closed("at first");
    // CVE-2025-54388.
    lan.host.sh("nft flush ruleset")?;
    closed("without rules");
    stage.phial.ok(&["network", "reload"])?;
    lan.host.ask_tcp("127.0.0.1", 8080)?;
    closed("after the reload");
    lan.host.sh("nft flush ruleset")?;
    stage.run(&[], &["true"])?.success()?;
    lan.host.ask_tcp("127.0.0.1", 8080)?;
    closed("after another container has started");
    Ok(())
}
