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

/// A host with a program on it that has Debian's image, which has perl.
fn host() -> Result<(Lan, Stage)> {
    let lan = Lan::new()?;
    let mut stage = Stage::debian()?;
    stage.phial.enter(&lan.host.path());
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

#[test]
fn a_published_port_is_reached_from_everywhere_and_knows_its_clients() -> Result {
    let (lan, stage) = host()?;
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

#[test]
fn what_is_not_published_is_reached_by_the_host_and_its_network_alone() -> Result {
    let (lan, stage) = host()?;
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

#[test]
fn what_is_published_on_loopback_stays_there() -> Result {
    let (lan, stage) = host()?;
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

#[test]
fn containers_of_one_network_know_one_another_and_nobody_else_does() -> Result {
    let (_lan, stage) = host()?;
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

#[test]
fn an_internal_network_leads_nowhere() -> Result {
    let (lan, stage) = host()?;
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

/// Answers every question for an address of IPv4 with this one, on port 53 of a machine, until it is dropped.
fn name_server(machine: &end_to_end::lan::Machine, address: [u8; 4]) -> Result<()> {
    let socket = machine.within(|| Ok(std::net::UdpSocket::bind((OUTSIDE.0, 53))?))?;
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((count, asker)) = socket.recv_from(&mut buffer) {
            // RFC 1035, 4.1: the question as it came, without what follows it, and one answer that points to its name.
            let end = 12 + buffer[12..count].iter().position(|byte| *byte == 0).unwrap_or(0) + 5;
            let is_ipv4 = buffer[end - 4..end - 2] == [0, 1];
            let mut reply = buffer[..end].to_vec();
            reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_ipv4), 0, 0, 0, 0]);
            if is_ipv4 {
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4]);
                reply.extend(address);
            }
            if socket.send_to(&reply, asker).is_err() {
                return;
            }
        }
    });
    Ok(())
}

#[test]
fn other_names_are_asked_of_the_servers_that_were_given() -> Result {
    let (lan, stage) = host()?;
    name_server(&lan.outside, [203, 0, 113, 7])?;
    stage.phial.ok(&["network", "create", "web"])?;
    stage.phial.ok(&["network", "create", "--internal", "cellar"])?;
    let ask = |flags: &[&str]| {
        let all = [&["--dns", OUTSIDE.0], flags].concat();
        stage.run(&all, &["getent", "ahostsv4", "example.test"])
    };
    // Through the server of the network, and on the default network without it.
    assert!(ask(&["--network", "web"])?.success()?.starts_with("203.0.113.7 "));
    assert!(ask(&[])?.success()?.starts_with("203.0.113.7 "));
    // Nothing leaves an internal network, not even in a name (CVE-2024-29018).
    assert_eq!(ask(&["--network", "cellar"])?.code, 2);
    assert_eq!(
        stage.sh(&["--network", "web", "--dns", OUTSIDE.0], "grep ^nameserver /etc/resolv.conf")?,
        "nameserver 127.0.0.11"
    );
    Ok(())
}

#[test]
fn a_server_of_names_in_a_container_has_its_port() -> Result {
    let (_lan, stage) = host()?;
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
    let (_lan, stage) = host()?;
    let phial = &stage.phial;
    phial.ok(&["network", "create", "web"])?;
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
