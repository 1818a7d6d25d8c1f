//! Names: of containers on a network, and of everybody else. Each test has a host of its own.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::Stdio;

use end_to_end::lan::{HOST, Lan, OUTSIDE};
use end_to_end::names::NameServer;
use end_to_end::process::{Running, program};
use end_to_end::{Context, Result, Stage};

/// A name that no container has, and its address: the other machine's, which answers there.
const NAME: &str = "example.test";
const ADDRESS: [u8; 4] = [192, 0, 2, 2];

/// What a container finds for a name, and how.
fn find(stage: &Stage, flags: &[&str], name: &str) -> Result<Option<String>> {
    stage.idle(&[&["--name", "asker"], flags].concat())?;
    let found = stage.phial.lookup("asker", name)?;
    stage.phial.ok(&["rm", "-f", "asker"])?;
    Ok(found)
}

#[test]
fn other_names_are_asked_of_the_servers_that_were_given() -> Result {
    let (lan, mut stage) = Lan::with_stage()?;
    // The host has another one, which is not there.
    stage.phial.resolve_with("192.0.2.99")?;
    let server = NameServer::start(&lan.outside, OUTSIDE.0, ADDRESS)?;
    stage.phial.ok(&["network", "create", "web"])?;
    // Through the server of the network, and on the default network without it.
    for (network, in_file) in [("web", "127.0.0.11"), ("bridge", OUTSIDE.0)] {
        let before = server.questions();
        let flags = ["--dns", OUTSIDE.0, "--network", network];
        assert_eq!(find(&stage, &flags, NAME)?.as_deref(), Some(OUTSIDE.0), "{network}");
        assert!(server.questions() > before, "{network}");
        assert_eq!(stage.sh(&flags, "grep ^nameserver /etc/resolv.conf")?, format!("nameserver {in_file}"));
    }
    Ok(())
}

#[test]
fn other_names_are_asked_of_the_hosts_servers_but_not_from_an_internal_network() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let server = NameServer::start(&lan.outside, OUTSIDE.0, ADDRESS)?;
    stage.phial.ok(&["network", "create", "web"])?;
    stage.phial.ok(&["network", "create", "--internal", "cellar"])?;
    assert_eq!(find(&stage, &["--network", "web"], NAME)?.as_deref(), Some(OUTSIDE.0));
    let before = server.questions();
    assert!(before > 0);
    // Nothing leaves an internal network, not even in a name (CVE-2024-29018): who asks there would be the host.
    assert_eq!(find(&stage, &["--network", "cellar"], NAME)?, None);
    assert_eq!(server.questions(), before);
    // One that is on both may ask.
    let both = ["--network", "cellar", "--network", "web"];
    assert_eq!(find(&stage, &both, NAME)?.as_deref(), Some(OUTSIDE.0));
    assert!(server.questions() > before);
    Ok(())
}

#[test]
fn the_hosts_servers_are_asked_wherever_they_are() -> Result {
    let (lan, mut stage) = Lan::with_stage()?;
    stage.phial.ok(&["network", "create", "web"])?;
    let outside = NameServer::start(&lan.outside, OUTSIDE.0, ADDRESS)?;
    let loopback = NameServer::start(&lan.host, "127.0.0.53", [192, 0, 2, 1])?;
    // A container cannot ask at the host's loopback address, and somebody asks there for it.
    for (server, address, answer, in_default) in
        [(&outside, OUTSIDE.0, OUTSIDE.0, OUTSIDE.0), (&loopback, "127.0.0.53", HOST.0, "127.0.0.11")]
    {
        stage.phial.resolve_with(address)?;
        for (network, in_file) in [("bridge", in_default), ("web", "127.0.0.11")] {
            let (flags, before) = (["--network", network], server.questions());
            assert_eq!(find(&stage, &flags, NAME)?.as_deref(), Some(answer), "{address} from {network}");
            assert!(server.questions() > before, "{address} from {network}");
            assert_eq!(stage.sh(&flags, "grep ^nameserver /etc/resolv.conf")?, format!("nameserver {in_file}"));
        }
    }
    Ok(())
}

#[test]
fn a_real_server_is_asked() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    stage.phial.ok(&["network", "create", "web"])?;
    let asker = stage.idle(&["--network", "web"])?;
    // An answer of more than a datagram has, which is asked for again by TCP.
    let words: Vec<String> = (0..40).map(|number| format!("{number:0>100}")).collect();
    let text = format!("--txt-record=long.test,{}", words.join(","));
    let addresses = [OUTSIDE.0, OUTSIDE.1].map(|address| format!("--address=/{NAME}/{address}"));
    let flags = ["--keep-in-foreground", "--log-facility=-", "--no-hosts", "--no-resolv", "--conf-file=/dev/null"];
    let place = ["--user=root", "--listen-address", OUTSIDE.0, "--bind-interfaces", "--local=/test/"];
    let mut command = lan.outside.command(program("dnsmasq", "dnsmasq-base")?, &flags);
    let mut dnsmasq = Running::start(command.args(place).args(addresses).arg(text).stderr(Stdio::piped()))?;
    let mut said = BufReader::new(dnsmasq.child().stderr.take().context("is piped")?).lines();
    while !said.next().context("dnsmasq ends")??.contains("started") {}
    let dig = |words: &str| asker.sh(&format!("dig +short @127.0.0.11 {words}"));
    assert_eq!(dig(&format!("{NAME} A"))?, OUTSIDE.0);
    assert_eq!(dig(&format!("{NAME} AAAA"))?, OUTSIDE.1);
    assert!(dig("long.test TXT")?.contains(&words[39]));
    assert!(dig("+tcp long.test TXT")?.contains(&words[39]));
    let nobody = asker.sh("dig @127.0.0.11 +noall +comments nobody.test A")?;
    assert!(nobody.contains("status: NXDOMAIN"), "{nobody}");
    Ok(())
}

#[test]
fn a_server_of_names_in_a_container_has_its_port() -> Result {
    let (_lan, stage) = Lan::with_stage()?;
    stage.phial.ok(&["network", "create", "web"])?;
    let own = stage.idle(&["--name", "own", "--network", "web"])?;
    let _sockets = own.within(|| Ok((UdpSocket::bind("0.0.0.0:53")?, TcpListener::bind("0.0.0.0:53")?)))?;
    assert_eq!(stage.phial.lookup("own", "own")?, Some(stage.phial.address("own", "web")?));
    Ok(())
}

#[test]
fn names_follow_who_comes_and_goes() -> Result {
    let (_lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    phial.ok(&["network", "create", "web"])?;
    stage.idle(&["--name", "asker", "--network", "web"])?;
    let check = |name: &str, is_there: bool| -> Result {
        assert_eq!(phial.lookup("asker", name)?.is_some(), is_there, "{name}");
        Ok(())
    };
    check("late", false)?;
    stage.idle(&["--name", "late"])?;
    check("late", false)?;
    phial.ok(&["network", "connect", "--alias", "later", "web", "late"])?;
    check("late", true)?;
    check("later", true)?;
    phial.ok(&["rename", "late", "renamed"])?;
    check("late", false)?;
    check("renamed", true)?;
    phial.ok(&["network", "disconnect", "web", "renamed"])?;
    check("renamed", false)?;
    phial.ok(&["network", "connect", "web", "renamed"])?;
    check("renamed", true)?;
    phial.ok(&["rm", "-f", "renamed"])?;
    check("renamed", false)
}

#[test]
fn a_link_is_a_name_of_one_containers_own() -> Result {
    let (_lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    phial.ok(&["network", "create", "web"])?;
    for network in ["bridge", "web"] {
        stage.idle(&["--name", "db", "--network", network])?;
        let flags = ["--network", network, "--link", "db:database"];
        assert_eq!(find(&stage, &flags, "database")?, Some(phial.address("db", network)?), "{network}");
        assert_eq!(find(&stage, &flags[..2], "database")?, None, "{network}");
        phial.ok(&["rm", "-f", "db"])?;
    }
    Ok(())
}

#[test]
fn the_host_has_a_name() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    phial.ok(&["network", "create", "web"])?;
    let _server = lan.host.listen("[::]:9000")?;
    for network in ["bridge", "web"] {
        let flags = ["--name", network, "--network", network, "--add-host", "host.docker.internal:host-gateway"];
        let own = stage.idle(&flags)?;
        let file = phial.ok(&["exec", network, "cat", "/etc/hosts"])?;
        let found: Vec<&str> = file.lines().filter_map(|line| line.strip_suffix("\thost.docker.internal")).collect();
        assert_eq!(phial.lookup(network, "host.docker.internal")?.as_deref(), found.first().copied(), "{network}");
        assert_eq!(found.len(), 2, "{network}: {file}");
        for (address, key) in found.into_iter().zip(["IPAddress", "GlobalIPv6Address"]) {
            assert_eq!(own.ask_tcp(address, 9000)?, phial.place(network, network, key)?, "{network}");
        }
    }
    Ok(())
}
