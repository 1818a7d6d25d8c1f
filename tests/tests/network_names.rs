//! Names: of containers on a network, and of everybody else. Each test has a host of its own.

use end_to_end::Result;
use end_to_end::lan::{Lan, OUTSIDE};
use end_to_end::names::NameServer;

/// Asks for a name that no container has.
const ASK: [&str; 3] = ["getent", "ahostsv4", "example.test"];

#[test]
fn other_names_are_asked_of_the_servers_that_were_given() -> Result {
    let (lan, stage) = Lan::with_debian()?;
    let server = NameServer::start(&lan.outside, OUTSIDE.0, [203, 0, 113, 7])?;
    stage.phial.ok(&["network", "create", "web"])?;
    let ask = |flags: &[&str]| stage.run(&[&["--dns", OUTSIDE.0], flags].concat(), &ASK);
    // Through the server of the network, and on the default network without it.
    for flags in [&["--network", "web"][..], &[]] {
        let before = server.questions();
        assert!(ask(flags)?.success()?.starts_with("203.0.113.7 "), "{flags:?}");
        assert!(server.questions() > before, "{flags:?}");
    }
    assert_eq!(
        stage.sh(&["--network", "web", "--dns", OUTSIDE.0], "grep ^nameserver /etc/resolv.conf")?,
        "nameserver 127.0.0.11"
    );
    Ok(())
}

#[test]
fn other_names_are_asked_of_the_hosts_servers_but_not_from_an_internal_network() -> Result {
    let (lan, stage) = Lan::with_debian()?;
    let server = NameServer::start(&lan.outside, OUTSIDE.0, [203, 0, 113, 7])?;
    stage.phial.ok(&["network", "create", "web"])?;
    stage.phial.ok(&["network", "create", "--internal", "cellar"])?;
    assert!(stage.run(&["--network", "web"], &ASK)?.success()?.starts_with("203.0.113.7 "));
    let before = server.questions();
    assert!(before > 0);
    // Nothing leaves an internal network, not even in a name (CVE-2024-29018): who asks there would be the host.
    assert_eq!(stage.run(&["--network", "cellar"], &ASK)?.code, 2);
    assert_eq!(server.questions(), before);
    // One that is on both may ask.
    assert!(stage.run(&["--network", "cellar", "--network", "web"], &ASK)?.success()?.starts_with("203.0.113.7 "));
    Ok(())
}

#[test]
fn a_server_of_names_in_a_container_has_its_port() -> Result {
    let (_lan, stage) = Lan::with_debian()?;
    stage.phial.ok(&["network", "create", "web"])?;
    let script = r#"
        use IO::Socket::IP;
        $all = IO::Socket::IP->new(LocalHost => "0.0.0.0", LocalPort => 53, Type => SOCK_DGRAM) or die "udp: $!";
        $tcp = IO::Socket::IP->new(LocalHost => "0.0.0.0", LocalPort => 53, Listen => 1) or die "tcp: $!";
        print scalar(gethostbyname("self")) ? "known\n" : "unknown\n";
    "#;
    let output = stage.run(&["--name", "self", "--network", "web"], &["perl", "-e", script])?;
    assert_eq!(output.success()?, "known\n");
    Ok(())
}

#[test]
fn names_follow_who_comes_and_goes() -> Result {
    let (_lan, stage) = Lan::with_debian()?;
    let phial = &stage.phial;
    // Nobody outside is asked there, and so nobody is waited for.
    phial.ok(&["network", "create", "--internal", "web"])?;
    stage.start(&["--name", "asker", "--network", "web"], &["sleep", "1000"])?;
    let asks = |name: &str| Ok(phial.run(&["exec", "asker", "getent", "hosts", name])?.code);
    let check = |name: &str, expected: i32| -> Result {
        let code: Result<i32> = asks(name);
        assert_eq!(code?, expected, "{name}");
        Ok(())
    };
    check("late", 2)?;
    stage.start(&["--name", "late"], &["sleep", "1000"])?;
    check("late", 2)?;
    phial.ok(&["network", "connect", "--alias", "later", "web", "late"])?;
    check("late", 0)?;
    check("later", 0)?;
    phial.ok(&["rename", "late", "renamed"])?;
    check("late", 2)?;
    check("renamed", 0)?;
    phial.ok(&["network", "disconnect", "web", "renamed"])?;
    check("renamed", 2)?;
    phial.ok(&["network", "connect", "web", "renamed"])?;
    check("renamed", 0)?;
    phial.ok(&["rm", "-f", "renamed"])?;
    check("renamed", 2)
}

#[test]
fn the_hosts_servers_are_asked_wherever_they_are() -> Result {
    let (lan, mut stage) = Lan::with_debian()?;
    stage.phial.ok(&["network", "create", "web"])?;
    let _outside = NameServer::start(&lan.outside, OUTSIDE.0, [203, 0, 113, 7])?;
    let _loopback = NameServer::start(&lan.host, "127.0.0.53", [203, 0, 113, 53])?;
    // A container cannot ask at the host's loopback address, and somebody asks there for it.
    for (server, answer, in_default) in
        [(OUTSIDE.0, "203.0.113.7", OUTSIDE.0), ("127.0.0.53", "203.0.113.53", "127.0.0.11")]
    {
        stage.phial.resolve_with(server)?;
        for (network, expected) in [("bridge", in_default), ("web", "127.0.0.11")] {
            let script = "grep ^nameserver /etc/resolv.conf; getent ahostsv4 example.test | sed 's/ .*//' | uniq";
            let found = stage.sh(&["--network", network], script)?;
            assert_eq!(found, format!("nameserver {expected}\n{answer}"), "{server} in {network}");
        }
    }
    Ok(())
}

#[test]
fn a_link_is_a_name_of_one_containers_own() -> Result {
    let (_lan, stage) = Lan::with_debian()?;
    let phial = &stage.phial;
    phial.ok(&["network", "create", "--internal", "web"])?;
    for network in ["bridge", "web"] {
        stage.start(&["--name", "db", "--network", network], &["sleep", "1000"])?;
        let address = phial.address("db", network)?;
        let ask = "getent ahostsv4 database | sed 's/ .*//' | uniq";
        assert_eq!(stage.sh(&["--network", network, "--link", "db:database"], ask)?, address, "{network}");
        assert_eq!(stage.sh(&["--network", network], ask)?, "", "{network}");
        phial.ok(&["rm", "-f", "db"])?;
    }
    Ok(())
}

#[test]
fn the_host_has_a_name() -> Result {
    let (lan, stage) = Lan::with_debian()?;
    stage.phial.ok(&["network", "create", "web"])?;
    let _server = lan.host.listen("[::]:9000")?;
    for network in ["bridge", "web"] {
        let flags = ["--name", network, "--network", network, "--add-host", "host.docker.internal:host-gateway"];
        stage.start(&flags, &["sleep", "1000"])?;
        let own = stage.phial.namespace(network)?;
        let script = "getent ahosts host.docker.internal | sed 's/ .*//' | sort -u";
        let found = stage.phial.ok(&["exec", network, "sh", "-c", script])?;
        assert_eq!(found.lines().count(), 2, "{network}: {found}");
        for (address, key) in
            found.lines().map(|line| (line, if line.contains(':') { "GlobalIPv6Address" } else { "IPAddress" }))
        {
            assert_eq!(own.ask_tcp(address, 9000)?, stage.phial.place(network, network, key)?, "{network}");
        }
    }
    Ok(())
}
