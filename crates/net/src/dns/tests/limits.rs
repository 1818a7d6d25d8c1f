//! What askers cannot have, however many they are.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::time::Instant;

use simple_dns::{Packet, RCODE};

use super::site::{Site, query};
use crate::dns::{ADDRESS, Outside, Place, Server, Upstream};

/// A server that this thread lets work, with a server outside that says nothing.
fn with_server(test: impl FnOnce(&Site, &mut Server) + Send) {
    let mut site = Site::new();
    let address = site.outside(false, "127.0.0.53:53", |_, _| None);
    site.by_hand(Outside::Servers(vec![Upstream { address, from: Place::Host }]), test);
}

#[test]
fn the_oldest_question_is_given_up_for_the_newest() {
    with_server(|site, server| {
        let most = usize::try_from(server.most_forwarded()).expect("is small");
        let client = site.container.run(|| UdpSocket::bind("127.0.0.1:0").expect("is free"));
        for number in 0..most + 3 {
            client.send_to(&query(u16::try_from(number).expect("is small"), "example.com"), ADDRESS).expect("is sent");
            server.ready();
        }
        for number in 0..3_u16 {
            let mut reply = [0; 512];
            let length = client.recv(&mut reply).expect("has come");
            let reply = Packet::parse(&reply[..length]).expect("is a reply");
            assert_eq!((reply.id(), reply.rcode()), (number, RCODE::ServerFailure));
        }
        client.set_nonblocking(true).expect("is set");
        assert!(client.recv(&mut [0; 512]).is_err());
    });
}

#[test]
fn who_is_quiet_is_cut_off_and_so_is_who_has_been_quiet_longest() {
    with_server(|site, server| {
        let connect = || site.container.run(|| TcpStream::connect(ADDRESS).expect("it listens"));
        let mut first = connect();
        server.ready();
        let mut others: Vec<TcpStream> = (0..64).map(|_| connect()).collect();
        server.ready();
        assert_eq!(first.read(&mut [0; 8]).expect("is at its end"), 0);
        // One has asked, and waits for an answer that does not come in time.
        others[0].write_all(&[&[0, 29][..], &query(7, "example.com")].concat()).expect("is taken");
        server.ready();
        let late = server.deadline().expect("somebody waits");
        assert!(late <= Instant::now() + std::time::Duration::from_secs(2));
        while let Some(deadline) = server.deadline() {
            server.due(deadline);
        }
        for (number, mut stream) in others.into_iter().enumerate() {
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("comes to its end");
            assert_eq!(answer.is_empty(), number != 0);
        }
    });
}

#[test]
fn a_server_outside_that_floods_has_its_turn_like_others() {
    let site = Site::new();
    let outside = site.host.run(|| UdpSocket::bind("127.0.0.53:53").expect("is free"));
    let address = outside.local_addr().expect("is bound");
    site.by_hand(Outside::Servers(vec![Upstream { address, from: Place::Host }]), |site, server| {
        let client = site.ask(server, 7, "example.com");
        let mut query = [0; 512];
        let (length, from) = outside.recv_from(&mut query).expect("is asked");
        let reply = Packet::parse(&query[..length]).expect("is a query").into_reply();
        for _ in 0..64 {
            outside.send_to(b"?", from).expect("is sent");
        }
        outside.send_to(&reply.build_bytes_vec().expect("fits"), from).expect("is sent");
        server.ready();
        client.set_nonblocking(true).expect("is set");
        assert!(client.recv(&mut [0; 512]).is_err(), "all of it was read at once");
        server.ready();
        assert_eq!(client.recv(&mut [0; 512]).expect("what was left is read later"), length);
    });
}

#[test]
fn a_connection_whose_questions_have_no_answer_has_its_turn_like_others() {
    const QUESTIONS: usize = 200;
    Site::new().by_hand(Outside::Servers(Vec::new()), |site, server| {
        let mut stream = site.container.run(|| TcpStream::connect(ADDRESS).expect("it listens"));
        server.ready();
        let question = [&[0, 29][..], &query(7, "example.com")].concat();
        stream.write_all(&question.repeat(QUESTIONS)).expect("is taken");
        stream.shutdown(Shutdown::Write).expect("is connected");
        let mut turns = 0;
        while server.deadline().is_some() {
            server.ready();
            turns += 1;
        }
        assert!(turns > QUESTIONS / 64, "all was answered in {turns} turns");
        let mut replies = Vec::new();
        stream.read_to_end(&mut replies).expect("comes to its end");
        assert_eq!(replies.len(), QUESTIONS * question.len());
    });
}

#[test]
fn what_is_no_question_is_answered_with_less_or_not_at_all() {
    with_server(|site, server| {
        let client = site.container.run(|| UdpSocket::bind("127.0.0.1:0").expect("is free"));
        let mut response = query(1, "example.com");
        response[2] |= 0x80;
        let long = [query(2, "example.com"), vec![0; 2000]].concat();
        for (sent, expected) in
            [(&b"short"[..], None), (&response, None), (&long, Some(12)), (&query(3, "example.com")[..20], Some(12))]
        {
            client.send_to(sent, ADDRESS).expect("is sent");
            client.set_nonblocking(true).expect("is set");
            server.ready();
            assert_eq!(client.recv(&mut [0; 512]).ok(), expected);
        }
        // More than one question in a piece, and one in two pieces.
        let mut stream = site.container.run(|| TcpStream::connect(ADDRESS).expect("it listens"));
        let mut update = query(4, "example.com");
        update[2] |= 0x28;
        let framed = [&[0, 29][..], &update].concat();
        stream.write_all(&[&framed[..], &framed, &framed[..9]].concat()).expect("is taken");
        server.ready();
        server.ready();
        stream.write_all(&framed[9..]).expect("is taken");
        server.ready();
        let mut answers = [0; 3 * 14];
        stream.read_exact(&mut answers).expect("three refusals");
        assert_eq!(answers[..14], answers[28..]);
        stream.write_all(&[0xff, 0xff]).expect("is taken");
        server.ready();
        assert_eq!(stream.read(&mut [0; 8]).expect("is at its end"), 0);
    });
}
