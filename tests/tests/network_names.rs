//! Names: of containers on a network, and of everybody else. Each test has a host of its own.

use end_to_end::lan::{Lan, Machine, OUTSIDE};
use end_to_end::{Result, Stage};

/// A host with a program on it that has Debian's image, whose resolver is glibc's.
fn host() -> Result<(Lan, Stage)> {
    let lan = Lan::new()?;
    let mut stage = Stage::debian()?;
    stage.phial.enter(&lan.host.path());
    Ok((lan, stage))
}

/// Answers every question for an address of IPv4 with this one, on port 53 of a machine, until it is dropped.
fn name_server(machine: &Machine, address: [u8; 4]) -> Result<()> {
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
