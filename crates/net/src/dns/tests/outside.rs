//! Names that others know.

use std::net::UdpSocket;
use std::sync::mpsc;

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, PacketFlag, RCODE, ResourceRecord};

use super::site::Site;
use crate::dns::{Outside, Place, Upstream};

/// A reply with one address.
fn reply(query: &[u8], address: u32) -> Vec<u8> {
    let query = Packet::parse(query).expect("is a query");
    let mut reply = query.clone().into_reply();
    let name = query.questions[0].qname.clone();
    reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, RData::A(A { address })));
    reply.build_bytes_vec().expect("fits")
}

fn refusal(query: &[u8], code: RCODE) -> Vec<u8> {
    let mut reply = Packet::parse(query).expect("is a query").into_reply();
    *reply.rcode_mut() = code;
    reply.build_bytes_vec().expect("fits")
}

fn host(address: std::net::SocketAddr) -> Upstream {
    Upstream { address, from: Place::Host }
}

#[test]
fn others_are_asked_what_no_container_is_called() {
    let mut site = Site::new();
    site.register("web", &[(&["front"], &["10.0.0.2"])]);
    let first = site.outside(false, "127.0.0.53:53", |query, _| Some(reply(query, 0x0102_0304)));
    site.serve(&["web"], Outside::Servers(vec![host(first)]));
    for options in ["", "+tcp"] {
        assert!(site.dig(&format!("example.com A {options}")).ends_with("\t1.2.3.4"));
        assert!(site.dig(&format!("front A {options}")).ends_with("\t10.0.0.2"));
        assert_eq!(site.dig(&format!("front AAAA {options}")), "");
    }
}

#[test]
fn each_server_is_asked_from_where_it_is() {
    for (from, expected) in [(Place::Container, "\t9.9.9.9"), (Place::Host, "\t8.8.8.8")] {
        let mut site = Site::new();
        site.outside(true, "127.0.0.1:53", |query, _| Some(reply(query, 0x0909_0909)));
        let address = site.outside(false, "127.0.0.1:53", |query, _| Some(reply(query, 0x0808_0808)));
        site.serve(&[], Outside::Servers(vec![Upstream { address, from }]));
        for options in ["", "+tcp"] {
            assert!(site.dig(&format!("example.com A {options}")).ends_with(expected));
        }
    }
}

#[test]
fn the_next_server_is_asked_where_one_cannot_answer() {
    let mut site = Site::new();
    let failing = site.outside(false, "127.0.0.3:53", |query, _| Some(refusal(query, RCODE::ServerFailure)));
    let good = site.outside(false, "127.0.0.4:53", |query, _| Some(reply(query, 0x0102_0304)));
    let absent = "127.0.0.5:53".parse().expect("is one");
    site.serve(&[], Outside::Servers(vec![host(absent), host(failing), host(good)]));
    for options in ["", "+tcp"] {
        assert!(site.dig(&format!("example.com A {options}")).ends_with("\t1.2.3.4"));
    }
}

#[test]
fn who_has_not_answered_in_time_is_asked_no_more() {
    let mut site = Site::new();
    let (told, asked) = mpsc::channel();
    let mute = site.outside(false, "127.0.0.2:53", move |_, _| {
        told.send(()).expect("is waited for");
        None
    });
    let good = site.outside(false, "127.0.0.4:53", |query, _| Some(reply(query, 0x0102_0304)));
    site.by_hand(Outside::Servers(vec![host(mute), host(good)]), move |site, server| {
        let client = site.ask(server, 7, "example.com");
        asked.recv().expect("the first one is asked");
        server.due(server.deadline().expect("it waits for an answer"));
        Site::until_ready(server);
        assert!(received(&client).ends_with(&[1, 2, 3, 4]));
        assert_eq!(server.deadline(), None);
        assert!(asked.try_recv().is_err());
    });
}

#[test]
fn nobody_answers() {
    let mut site = Site::new();
    let failing = site.outside(false, "127.0.0.3:53", |query, _| Some(refusal(query, RCODE::ServerFailure)));
    let absent = "127.0.0.5:53".parse().expect("is one");
    site.serve(&[], Outside::Servers(vec![host(absent), host(failing)]));
    for options in ["", "+tcp"] {
        assert!(site.dig(&format!("example.com A +comments {options}")).contains("status: SERVFAIL"));
    }
    let mut site = Site::new();
    site.serve(&[], Outside::Servers(Vec::new()));
    assert!(site.dig("example.com A +comments").contains("status: SERVFAIL"));
}

#[test]
fn a_server_that_understands_nothing_says_so() {
    let mut site = Site::new();
    let server = site.outside(false, "127.0.0.53:53", |query, _| {
        Some([&query[..2], &[0x80, RCODE::FormatError as u8], &[0; 8]].concat())
    });
    site.by_hand(Outside::Servers(vec![host(server)]), |site, server| {
        let client = site.ask(server, 7, "example.com");
        Site::until_ready(server);
        assert_eq!(received(&client), [0, 7, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    });
}

#[test]
fn what_others_deny_is_denied_and_what_they_cut_off_is_cut_off() {
    let mut site = Site::new();
    let server = site.outside(false, "127.0.0.53:53", |query, is_stream| {
        let mut packet = Packet::parse(query).expect("is a query").into_reply();
        if packet.questions[0].qname.to_string() == "long" {
            if is_stream {
                return Some(reply(query, 0x0102_0304));
            }
            packet.set_flags(PacketFlag::TRUNCATION);
        } else {
            *packet.rcode_mut() = RCODE::NameError;
        }
        Some(packet.build_bytes_vec().expect("fits"))
    });
    site.serve(&[], Outside::Servers(vec![host(server)]));
    assert!(site.dig("example.com A +comments").contains("status: NXDOMAIN"));
    assert!(site.dig("long A +ignore +comments").contains("flags: qr tc"));
    assert!(site.dig("long A").ends_with("\t1.2.3.4"));
}

#[test]
fn a_reply_to_another_question_is_none() {
    let mut site = Site::new();
    let server = site.outside(false, "127.0.0.53:53", |query, _| {
        let mut other = reply(query, 0x0606_0606);
        let name = other.windows(7).position(|bytes| bytes == b"example").expect("is asked about");
        other[name] = b'f';
        Some(other)
    });
    let good = site.outside(false, "127.0.0.54:53", |query, _| Some(reply(query, 0x0102_0304)));
    let servers = vec![host(server), host(good)];
    site.by_hand(Outside::Servers(servers.clone()), |site, server| {
        let client = site.ask(server, 7, "example.com");
        // What the first one says is read, and says nothing.
        Site::until_ready(server);
        server.due(server.deadline().expect("it waits for an answer"));
        Site::until_ready(server);
        assert!(received(&client).ends_with(&[1, 2, 3, 4]));
    });
    // On a connection, nothing else will follow.
    site.serve(&[], Outside::Servers(servers));
    assert!(site.dig("example.com A +tcp").ends_with("\t1.2.3.4"));
}

fn received(client: &UdpSocket) -> Vec<u8> {
    let mut reply = [0; 512];
    let length = client.recv(&mut reply).expect("has come");
    reply[..length].to_vec()
}
