//! Structures of strangers.

use std::net::IpAddr;

use proptest::prelude::{any, proptest};

use super::super::connection::{Connection, End};
use super::super::evaluate::{Judgement, Surroundings};
use super::super::packet::{Device, Flow, Packet, Tracking, Transport};
use super::{judge, match_words, target, target_words};

/// A namespace in which there is nothing.
struct Nowhere;

impl Surroundings for Nowhere {
    fn address_type(&self, _: IpAddr, _: Option<&Device>) -> u32 {
        1
    }

    fn way(&self, _: IpAddr, _: u32) -> Option<Device> {
        None
    }

    fn masquerade_address(&self, _: &Device, _: IpAddr) -> Option<IpAddr> {
        None
    }

    fn first_address(&self, _: &Device, _: IpAddr) -> Option<IpAddr> {
        None
    }
}

const NAMES: [&str; 35] = [
    "comment",
    "state",
    "conntrack",
    "connmark",
    "helper",
    "addrtype",
    "rpfilter",
    "physdev",
    "mac",
    "pkttype",
    "devgroup",
    "tcp",
    "udp",
    "sctp",
    "multiport",
    "icmp",
    "icmp6",
    "iprange",
    "mark",
    "length",
    "ttl",
    "dscp",
    "owner",
    "connlimit",
    "hashlimit",
    "policy",
    "DNAT",
    "SNAT",
    "NETMAP",
    "MASQUERADE",
    "REDIRECT",
    "MARK",
    "CONNMARK",
    "REJECT",
    "CT",
];

fn packet(is_ipv4: bool) -> Packet {
    let (source, destination): (IpAddr, IpAddr) =
        if is_ipv4 { ([10, 0, 0, 1].into(), [10, 0, 0, 2].into()) } else { ([1; 16].into(), [2; 16].into()) };
    let flow = Flow { protocol: Transport::Tcp, source, source_port: 40000, destination, destination_port: 80 };
    Packet { tracking: Tracking::Tracked(Connection::new(flow)), ..Packet::new(flow) }
}

proptest! {
    #[test]
    fn any_bytes_are_taken(which in 0..NAMES.len(), revision in 0_u32..5, info: Vec<u8>, long in 0_usize..400, is_ipv4 in any::<bool>()) {
        let name = NAMES[which];
        let mut info = info;
        info.resize(info.len().max(long), 0xa5);
        let packet = packet(is_ipv4);
        judge(name, revision, &info, &packet, &Nowhere);
        target(name, revision, &info, &packet, End::Source);
        match_words(name, revision, &info, is_ipv4);
        target_words(name, revision, &info, is_ipv4);
    }
}

#[test]
fn what_is_too_short_or_not_known_cannot_be_told() {
    let judged = |name: &str, info: &[u8]| judge(name, 1, info, &packet(true), &Nowhere);
    assert!(matches!(judged("conntrack", &[0; 20]), Judgement::Unknown(_)));
    assert!(matches!(judged("statistic", &[0; 64]), Judgement::Unknown(_)));
    assert_eq!(judged("comment", &[]), Judgement::Yes);
}

/// The bytes of a structure that are zero but for these numbers, each of the host's order.
fn structure(size: usize, numbers: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; size];
    for (at, number) in numbers {
        bytes[*at..at + number.len()].copy_from_slice(number);
    }
    bytes
}

#[test]
fn what_is_above_a_limit_is_not_reached() {
    let above = (1_u32 | 1 << 4).to_ne_bytes();
    let upto = 1_u32.to_ne_bytes();
    for (revision, size, mode) in [(1, 64, 16), (2, 320, 272), (3, 320, 272)] {
        let judged =
            |bits: &[u8]| judge("hashlimit", revision, &structure(size, &[(mode, bits)]), &packet(true), &Nowhere);
        assert_eq!(judged(&upto), Judgement::Assumed("the limit is not reached"));
        assert_eq!(judged(&above), Judgement::No);
    }
    assert!(matches!(judge("hashlimit", 0, &[0; 320], &packet(true), &Nowhere), Judgement::Unknown(_)));
}

#[test]
fn only_that_there_is_to_be_no_policy_matches() {
    let judged = |flags: u16| {
        let info = structure(308, &[(304, &flags.to_ne_bytes())]);
        judge("policy", 0, &info, &packet(true), &Nowhere)
    };
    assert_eq!(judged(1 | 4), Judgement::Yes, "--dir in --pol none");
    assert_eq!(judged(1), Judgement::No, "--dir in --pol ipsec");
}
