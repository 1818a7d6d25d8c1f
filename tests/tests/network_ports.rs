//! Ports of containers that are published: which of the host they get, and who reaches them there. Each test has a host of
//! its own.

use end_to_end::lan::{HOST, Lan, OUTSIDE};
use end_to_end::namespace::Outcome;
use end_to_end::{Context, Phial, Result};

const HOST_BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";

/// The port of the host's IPv4 that leads to one of a container.
fn port(phial: &Phial, container: &str, port: &str) -> Result<u16> {
    let published = phial.ok(&["port", container, port])?;
    let number = published.lines().find_map(|line| line.strip_prefix("0.0.0.0:")?.parse().ok());
    number.context(format!("port {port} of {container}: {published}"))
}

#[test]
fn all_that_is_exposed_is_published() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    phial.ok(&["create", "--name", "base", &stage.image, "true"])?;
    phial.ok(&["commit", "--change", "EXPOSE 81", "base", "exposing"])?;
    phial.ok(&[
        "run", "-d", "--name", "web", "-P", "--expose", "80", "--expose", "53/udp", "exposing", "sleep", "1000",
    ])?;
    let web = phial.namespace("web")?;
    let (first, second) = (port(phial, "web", "80/tcp")?, port(phial, "web", "81/tcp")?);
    assert_ne!(first, second);
    // Each leads to its own: there is nobody behind the other.
    for (number, own, other) in [(80, first, second), (81, second, first)] {
        let _server = web.listen(&format!("[::]:{number}"))?;
        assert_eq!(lan.outside.ask_tcp(HOST.0, own)?, OUTSIDE.0);
        assert_eq!(lan.outside.ask_tcp(HOST.1, own)?, OUTSIDE.1);
        lan.outside.check_tcp(HOST.0, other, &Outcome::Refused)?;
    }
    let datagrams = port(phial, "web", "53/udp")?;
    let server = web.within(|| Ok(std::net::UdpSocket::bind("0.0.0.0:53")?))?;
    lan.outside.within(|| Ok(std::net::UdpSocket::bind("0.0.0.0:0")?.send_to(b"who", (HOST.0, datagrams))?))?;
    let (_, client) = server.recv_from(&mut [0; 10])?;
    assert_eq!(client.ip().to_string(), OUTSIDE.0);
    assert_eq!(phial.ok(&["port", "web"])?.lines().count(), 6);
    Ok(())
}

#[test]
fn a_range_leads_each_to_its_own() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let web = stage.idle(&["-p", "8000-8002:80-82"])?;
    for port in 80..83 {
        let _server = web.listen(&format!("[::]:{port}"))?;
        for of_host in 8000..8003 {
            if of_host - 8000 == port - 80 {
                assert_eq!(lan.outside.ask_tcp(HOST.0, of_host)?, OUTSIDE.0);
            } else {
                lan.outside.check_tcp(HOST.0, of_host, &Outcome::Refused)?;
            }
        }
    }
    let refused = stage.run(&["-p", "8000-8002:80-81"], &["true"])?.exited(125)?;
    assert!(refused.stderr.contains("8000-8002"), "{refused:?}");
    Ok(())
}

#[test]
fn of_a_range_the_first_that_is_free_leads_to_one_port() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    stage.idle(&["-p", "8000:80"])?;
    // A program of the host's has the next one, and only on loopback.
    let _taken = lan.host.listen("127.0.0.1:8001")?;
    let third = stage.idle(&["--name", "third", "-p", "8000-8002:80"])?;
    assert_eq!(port(phial, "third", "80")?, 8002);
    let _server = third.listen("[::]:80")?;
    assert_eq!(lan.outside.ask_tcp(HOST.0, 8002)?, OUTSIDE.0);
    assert_eq!(lan.outside.ask_tcp(HOST.1, 8002)?, OUTSIDE.1);
    let refused = stage.run(&["-p", "8000-8002:80"], &["true"])?.exited(125)?;
    assert!(refused.stderr.contains("8000-8002"), "{refused:?}");
    Ok(())
}

#[test]
fn a_network_says_where_ports_are_published() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    stage.phial.ok(&["network", "create", "-o", &format!("{HOST_BINDING}=127.0.0.1"), "web"])?;
    let web = stage.idle(&["--name", "web", "--network", "web", "-p", "8080:80", "-p", "0.0.0.0:8081:80"])?;
    let _server = web.listen("[::]:80")?;
    assert_eq!(stage.phial.ok(&["port", "web", "80"])?, "0.0.0.0:8081\n127.0.0.1:8080");
    lan.host.ask_tcp("127.0.0.1", 8080)?;
    for address in [HOST.0, HOST.1] {
        lan.host.check_tcp(address, 8080, &Outcome::Refused)?;
        lan.outside.check_tcp(address, 8080, &Outcome::Refused)?;
    }
    // Unless it is said otherwise.
    assert_eq!(lan.outside.ask_tcp(HOST.0, 8081)?, OUTSIDE.0);
    Ok(())
}

#[test]
fn a_port_leads_to_a_container_as_soon_as_it_has_a_network_for_that() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    let phial = &stage.phial;
    phial.ok(&["network", "create", "--internal", "cellar"])?;
    phial.ok(&["network", "create", "-o", &format!("{HOST_BINDING}=192.0.2.1"), "office"])?;
    let web = stage.idle(&["--name", "web", "--network", "cellar", "-p", "8080:80"])?;
    let _server = web.listen("[::]:80")?;
    for _ in 0..2 {
        assert_eq!(phial.ok(&["port", "web"])?, "");
        lan.outside.check_tcp(HOST.0, 8080, &Outcome::Refused)?;
        // As long as it leads nowhere, others may have it; and then the container has to wait.
        let theirs = lan.host.listen("192.0.2.1:8080")?;
        let refused = phial.run(&["network", "connect", "office", "web"])?.exited(1)?;
        assert!(refused.stderr.contains("port 192.0.2.1:8080/tcp is in use"), "{refused:?}");
        drop(theirs);
        phial.ok(&["network", "connect", "office", "web"])?;
        assert_eq!(phial.ok(&["port", "web"])?, "80/tcp -> 192.0.2.1:8080");
        assert_eq!(lan.outside.ask_tcp(HOST.0, 8080)?, OUTSIDE.0);
        phial.ok(&["network", "disconnect", "office", "web"])?;
    }
    Ok(())
}

#[test]
fn a_container_reaches_what_it_has_published_itself() -> Result {
    let (lan, stage) = Lan::with_stage()?;
    stage.phial.ok(&["network", "create", "web"])?;
    // The last one on a host whose rules see what bridges pass on (`br_netfilter`).
    for (network, port, seen) in [("bridge", 8080, 0), ("web", 8081, 0), ("web", 8082, 1)] {
        for family in ["iptables", "ip6tables"] {
            lan.host.sh(&format!("echo {seen} > /proc/sys/net/bridge/bridge-nf-call-{family}"))?;
        }
        let own = stage.idle(&["--network", network, "-p", &format!("{port}:80")])?;
        let near = stage.idle(&["--network", network])?;
        let _server = own.listen("[::]:80")?;
        for address in [HOST.0, HOST.1] {
            // Its own packets go back over the link that they have come from, a neighbour's do not.
            own.ask_tcp(address, port).context(format!("{network}: itself"))?;
            near.ask_tcp(address, port).context(format!("{network}: a neighbour"))?;
        }
    }
    Ok(())
}
