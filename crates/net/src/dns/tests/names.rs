//! Names of containers.

use std::collections::BTreeSet;

use super::site::Site;
use crate::dns::{Outside, Server};

/// What `dig` shows of each answer: the last word of its line.
fn last_words(answers: &str) -> Vec<&str> {
    answers.lines().filter_map(|line| line.split_whitespace().next_back()).collect()
}

fn site() -> Site {
    let mut site = Site::new();
    site.register(
        "web",
        &[
            (&["front", "www"], &["10.0.0.2", "fd00::2"]),
            (&["Back.End", "www"], &["10.0.0.3"]),
            (&["six"], &["fd00::4"]),
        ],
    );
    site.register("data", &[(&["front"], &["10.1.0.2"]), (&["db", "six"], &["10.1.0.3"])]);
    site.register_as("bridge", false, &[(&["nobody"], &["10.2.0.2"])]);
    site.serve(&["web", "data", "bridge", "none"], Outside::Closed);
    site
}

#[test]
fn containers_have_names() {
    let site = site();
    for (question, expected) in [
        ("front A", &["10.0.0.2"][..]),
        ("front. A", &["10.0.0.2"]),
        ("FRONT.web A", &["10.0.0.2"]),
        ("front.data A", &["10.1.0.2"]),
        ("front AAAA", &["fd00::2"]),
        ("front.data AAAA", &[]),
        ("back.end A", &["10.0.0.3"]),
        ("back.end.WEB A", &["10.0.0.3"]),
        ("db A", &["10.1.0.3"]),
        ("db.data A", &["10.1.0.3"]),
        ("db.web A", &[]),
        // The first network has the name, the second one has an address of the family.
        ("six A", &["10.1.0.3"]),
        ("six AAAA", &["fd00::4"]),
        ("nobody A", &[]),
        ("nobody.bridge A", &[]),
        ("-x 10.0.0.3", &["Back.End.web."]),
        ("-x fd00::4", &["six.web."]),
        ("-x 10.2.0.2", &[]),
    ] {
        assert_eq!(last_words(&site.dig(question)), expected, "{question}");
        assert_eq!(last_words(&site.dig(&format!("{question} +tcp"))), expected, "{question} by TCP");
    }
}

#[test]
fn a_name_that_is_there_is_not_denied() {
    let site = site();
    for (question, expected) in [
        ("db AAAA", "NOERROR"),
        ("front MX", "NOERROR"),
        ("front HTTPS", "NOERROR"),
        ("front ANY +notcp", "NOERROR"),
        ("nobody A", "NXDOMAIN"),
        ("example.com A", "NXDOMAIN"),
        ("-x 10.0.0.9", "NXDOMAIN"),
        ("front A +edns=1 +noednsnegotiation", "BADVERS"),
        ("front A +opcode=NOTIFY", "NOTIMP"),
        ("front A +header-only", "FORMERR"),
    ] {
        let said = site.dig(&format!("{question} +comments"));
        assert!(said.contains(&format!("status: {expected}")), "{question}: {said}");
        assert!(!said.contains("WARNING: Message parser"), "{question}: {said}");
    }
    let said = site.dig("front A +comments +dnssec");
    assert!(said.contains("EDNS: version: 0, flags: do; udp: 1232"), "{said}");
    assert!(said.contains("flags: qr aa rd ra;"), "{said}");
}

#[test]
fn everybody_with_a_name_has_a_turn() {
    let site = site();
    let answers: Vec<String> = (0..4).map(|_| site.dig("www A")).collect();
    for answer in &answers {
        assert_eq!(BTreeSet::from_iter(last_words(answer)), BTreeSet::from(["10.0.0.2", "10.0.0.3"]));
    }
    let firsts: Vec<&str> = answers.iter().map(|answer| last_words(answer)[0]).collect();
    assert_eq!(firsts[0], firsts[2]);
    assert_ne!(firsts[0], firsts[1]);
}

#[test]
fn what_changes_is_seen_at_once() {
    let site = site();
    assert_eq!(site.dig("new A"), "");
    for last in 2..20_u8 {
        let address = format!("10.3.0.{last}");
        site.register("none", &[(&["new"], &[&address])]);
        assert_eq!(last_words(&site.dig("new A")), [address.as_str()]);
    }
    std::fs::remove_file(&site.paths(&["none"])[0]).expect("is there");
    assert_eq!(site.dig("new A"), "");
}

#[test]
fn what_does_not_fit_is_asked_again_by_tcp() {
    let mut site = Site::new();
    let addresses: Vec<String> = (0..600).map(|n| format!("10.0.{}.{}", n / 250, n % 250 + 1)).collect();
    let all: Vec<[&str; 1]> = addresses.iter().map(|address| [address.as_str()]).collect();
    let who: Vec<super::site::Who<'_>> = all.iter().map(|address| (&["many"][..], &address[..])).collect();
    site.register("web", &who);
    site.serve(&["web"], Outside::Closed);
    for (options, expected) in [("+noedns", 30), ("+bufsize=1232", 74), ("+bufsize=4096", 253)] {
        let said = site.dig(&format!("many A {options} +ignore +comments"));
        assert!(said.contains("flags: qr aa tc rd ra;"), "{said}");
        let count = said.lines().filter(|line| line.contains("\tA\t")).count();
        assert_eq!(count, expected, "{options}");
    }
    assert_eq!(last_words(&site.dig("many A")).into_iter().collect::<BTreeSet<_>>().len(), 600);
}

#[test]
fn a_container_may_have_a_name_server_of_its_own() {
    let site = site();
    let own = site.container.run(|| {
        let udp = std::net::UdpSocket::bind("0.0.0.0:53").expect("is free");
        let tcp = std::net::TcpListener::bind("0.0.0.0:53").expect("is free");
        (udp, tcp)
    });
    assert_eq!(last_words(&site.dig("front A")), ["10.0.0.2"]);
    assert_eq!(last_words(&site.dig("front A +tcp")), ["10.0.0.2"]);
    // What is sent to another address goes to the container's own.
    site.container.run(|| {
        let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("is free");
        client.send_to(b"hello", "127.0.0.1:53").expect("is sent");
        let mut buffer = [0; 16];
        assert_eq!(own.0.recv(&mut buffer).expect("has come"), 5);
        std::net::TcpStream::connect("127.0.0.1:53").expect("it listens");
        own.1.accept().expect("somebody came");
    });
}

#[test]
fn without_programs_of_the_kernel_the_address_itself_is_bound() {
    let mut site = Site::new();
    site.register("web", &[(&["front"], &["10.0.0.2"])]);
    let paths = site.paths(&["web"]);
    site.serve_with(|container| Server::open_bound(container, paths, Outside::Closed));
    assert_eq!(last_words(&site.dig("front A")), ["10.0.0.2"]);
    assert_eq!(last_words(&site.dig("front A +tcp")), ["10.0.0.2"]);
    let refused = site.container.run(|| std::net::UdpSocket::bind("127.0.0.11:53").map(drop));
    assert!(refused.is_err());
    let again = site.host.run(|| Server::open_bound(site.container.fd(), Vec::new(), Outside::Closed).map(drop));
    assert_eq!(again.expect_err("it is taken").to_string(), "127.0.0.11:53 is in use");
}

#[test]
fn the_loopback_interface_may_come_up_later() {
    let lo = |site: &Site, state: &str| {
        let ip = || std::process::Command::new("ip").args(["link", "set", "lo", state]).status();
        assert!(site.container.run(ip).is_ok_and(|status| status.success()), "lo {state}");
    };
    for open in [Server::open_bound, Server::open] {
        let mut site = Site::new();
        site.register("web", &[(&["front"], &["10.0.0.2"])]);
        lo(&site, "down");
        let paths = site.paths(&["web"]);
        site.serve_with(move |container| open(container, paths, Outside::Closed));
        lo(&site, "up");
        assert_eq!(last_words(&site.dig("front A")), ["10.0.0.2"]);
        assert_eq!(last_words(&site.dig("front A +tcp")), ["10.0.0.2"]);
    }
}
