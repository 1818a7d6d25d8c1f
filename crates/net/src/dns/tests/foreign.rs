//! Whatever is sent, nothing breaks, and what is a query is understood as others understand it.

use std::cell::RefCell;

use proptest::prelude::{Just, ProptestConfig, Strategy, TestCaseError, any, prop_oneof};
use proptest::test_runner::TestRunner;
use proptest::{collection, prop_assert, prop_assert_eq};
use simple_dns::rdata::OPT;
use simple_dns::{CLASS, Label, Name, Packet, QCLASS, QTYPE, Question, TYPE};

use super::site::Site;
use crate::dns::answer::Answers;
use crate::dns::message::{self, Code, Reply};
use crate::dns::zone::Zone;

const KINDS: [TYPE; 7] = [TYPE::A, TYPE::AAAA, TYPE::PTR, TYPE::MX, TYPE::TXT, TYPE::SOA, TYPE::SRV];

/// A query as another library writes it.
fn query() -> impl Strategy<Value = Vec<u8>> {
    let known = prop_oneof![Just(b"front".to_vec()), Just(b"WWW".to_vec()), Just(b"web".to_vec())];
    let label = prop_oneof![known, collection::vec(any::<u8>(), 1..20)];
    let extended = proptest::option::of(any::<u16>());
    (any::<u16>(), collection::vec(label, 1..6), 0..KINDS.len(), extended).prop_map(|(id, labels, kind, extended)| {
        let mut packet = Packet::new_query(id);
        let labels: Vec<Label<'_>> = labels.into_iter().map(Label::new_unchecked).collect();
        let name = Name::new_with_labels(&labels);
        packet.questions.push(Question::new(name, QTYPE::TYPE(KINDS[kind]), QCLASS::CLASS(CLASS::IN), false));
        *packet.opt_mut() = extended.map(|udp_packet_size| OPT { opt_codes: Vec::new(), udp_packet_size, version: 0 });
        packet.build_bytes_vec().expect("is short")
    })
}

/// A query, of which something is different.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<proptest::sample::Index>(), any::<u8>());
    let cut = any::<proptest::sample::Index>();
    (query(), collection::vec(change, 0..4), cut, any::<bool>()).prop_map(|(mut bytes, changes, cut, cuts)| {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes
    })
}

fn answers() -> (Site, RefCell<Answers>) {
    let site = Site::new();
    let many: Vec<String> = (1..100).map(|number| format!("10.0.0.{number}")).collect();
    let many: Vec<[&str; 1]> = many.iter().map(|address| [address.as_str()]).collect();
    let mut who: Vec<super::site::Who<'_>> = many.iter().map(|address| (&["www"][..], &address[..])).collect();
    who.push((&["front"], &["10.0.1.1", "fd00::1"]));
    site.register("web", &who);
    let zone = Zone::new(site.paths(&["web"]));
    (site, RefCell::new(Answers::new(zone)))
}

/// Holds something against what a strategy makes.
fn check<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) });
    runner.run(strategy, property).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn queries_are_understood() {
    check(&query(), |bytes| {
        let theirs = Packet::parse(&bytes).expect("is theirs");
        let Ok(ours) = message::read(&bytes) else { panic!("is a query") };
        let lower = |byte: &u8| if *byte == b'.' { 0xff } else { byte.to_ascii_lowercase() };
        let labels = theirs.questions[0].qname.as_bytes();
        let labels: Vec<Vec<u8>> = labels.map(|label| label.iter().map(lower).collect()).collect();
        prop_assert_eq!(ours.name.as_bytes(), labels.join(&b'.'));
        let QTYPE::TYPE(kind) = theirs.questions[0].qtype else { panic!("is one of ours") };
        prop_assert_eq!(ours.kind, u16::from(kind));
        let limit = theirs.opt().map_or(512, |opt| opt.udp_packet_size.max(512));
        prop_assert_eq!(ours.udp_limit(), usize::from(limit));
        Ok(())
    });
}

#[test]
fn replies_are_understood_and_not_too_long() {
    let (_site, answers) = answers();
    check(&query(), |bytes| {
        let Ok(query) = message::read(&bytes) else { panic!("is a query") };
        let mut reply = Vec::new();
        if !answers.borrow_mut().write(&query, query.udp_limit(), &mut reply) {
            Reply::new(&query, Code::NxDomain, query.udp_limit(), &mut reply).finish();
        }
        prop_assert!(reply.len() <= query.udp_limit());
        let (theirs, asked) = (Packet::parse(&reply).expect("is a reply"), Packet::parse(&bytes).expect("is theirs"));
        prop_assert_eq!(theirs.id(), asked.id());
        prop_assert_eq!(&theirs.questions[0].qname, &asked.questions[0].qname);
        prop_assert_eq!(theirs.opt().is_some(), asked.opt().is_some());
        prop_assert!(message::answers(&reply, [bytes[0], bytes[1]], query.question()));
        Ok(())
    });
}

#[test]
fn nothing_breaks() {
    let (_site, answers) = answers();
    check(&prop_oneof![damaged(), collection::vec(any::<u8>(), 0..64)], |bytes| {
        let mut reply = Vec::new();
        match message::read(&bytes) {
            Ok(query) => {
                answers.borrow_mut().write(&query, query.udp_limit(), &mut reply);
                prop_assert!(reply.len() <= query.udp_limit());
                let failure = message::failure(&bytes, query.question().len(), Code::ServFail);
                prop_assert!(failure.len() <= bytes.len());
            }
            Err(Some(refusal)) => prop_assert!(refusal.len() <= bytes.len()),
            Err(None) => {}
        }
        message::answers(&bytes, [0, 0], b"\x05front\0\0\x01\0\x01");
        message::is_failure(&bytes);
        Ok(())
    });
}
