//! Watching real packets: nftables tells which rules they meet (`nft monitor trace`), if a rule has asked for it.
//!
//! That rule is in a table of ours that is owned by a socket (`NFT_TABLE_F_OWNER`, Linux 5.12): the kernel removes it when the
//! socket closes, and so also when this program is killed. It comes before all others and marks the packets of one flow, as
//! they are sent; the answers to them it does not see.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use serde::Serialize;

use super::packet::{Transport, octets};
use super::step::RuleName;
use super::text::printable;
use super::words;
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::{Attribute, Attributes, Messages};
use crate::nft::{
    self, Answer, Base, Batch, Chain, Comparison, Expression, Family, HeaderBase, Hook, MetaKey, Register, Rule,
    Ruleset, Table,
};

/// `NFT_TABLE_F_OWNER`.
const OWNER: u32 = 0x2;
/// The group of traces (`NFNLGRP_NFTRACE`), as a bit.
const GROUP: u32 = 1 << (9 - 1);
/// `NFT_MSG_TRACE`, of the subsystem of nftables.
const TRACE: u16 = 0x0a11;
/// Before everything, defragmentation too.
const PRIORITY: i32 = -450;
/// Longest datagram that a trace needs.
const BUFFER: usize = 64 * 1024;

const TRACE_TABLE: u16 = 1;
const TRACE_CHAIN: u16 = 2;
const TRACE_RULE: u16 = 3;
const TRACE_KIND: u16 = 4;
const TRACE_VERDICT: u16 = 5;
const TRACE_ID: u16 = 6;
const TRACE_NETWORK: u16 = 8;
const TRACE_TRANSPORT: u16 = 9;
const TRACE_INPUT: u16 = 10;
const TRACE_OUTPUT: u16 = 12;
const TRACE_MARK: u16 = 14;
const TRACE_POLICY: u16 = 16;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;

/// Which packets are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// From where; anywhere otherwise.
    pub from: Option<IpAddr>,
    /// To where.
    pub to: IpAddr,
    /// What they carry.
    pub protocol: Transport,
    /// To which port; any otherwise.
    pub port: Option<u16>,
}

/// A watch, which ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    /// Owns the table.
    asking: nft::Socket,
    events: OwnedFd,
    table: String,
    rules: Ruleset,
}

/// What a packet met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Which packet: the kernel's number of it.
    pub packet: u32,
    /// The rule; of number 0 the policy of a base chain, or the end of another.
    pub rule: RuleName,
    /// The rule, in the words of `nft(8)`.
    pub text: String,
    /// What was decided.
    pub verdict: String,
    /// The number of the link that it came in by.
    pub input: Option<u32>,
    /// The number of the link that it leaves by.
    pub output: Option<u32>,
    /// Its mark, if it has one.
    pub mark: Option<u32>,
    /// Where from and where to, if the kernel says.
    pub flow: Option<String>,
}

impl Watch {
    /// Begins to watch, in the calling thread's network namespace.
    ///
    /// # Errors
    /// `Unsupported` for a kernel that knows no tables with owners, `System`.
    pub fn begin(watched: &Watched) -> Result<Watch> {
        let system = |what: &'static str| move |errno| Error::system(what, errno);
        let flags = SocketFlags::CLOEXEC;
        let events = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::NETFILTER))
            .map_err(system("socket(AF_NETLINK, NETLINK_NETFILTER)"))?;
        rustix::net::bind(&events, &SocketAddrNetlink::new(0, GROUP))
            .map_err(system("listening to traces of nftables"))?;
        let table = format!("phial-trace-{}", std::process::id());
        let mut asking = nft::Socket::open()?;
        let mut batch = Batch::new();
        batch.add_whole_table(&marking(&table, watched));
        asking.commit(&batch).map_err(|error| match error.errno() {
            Some(Errno::OPNOTSUPP) => {
                Error::new(ErrorKind::Unsupported, "this kernel knows no tables that go with their owner")
                    .with_hint("Linux 5.12 or newer does")
            }
            _ => error,
        })?;
        let rules = nft::dump(&mut asking)?;
        Ok(Watch { asking, events, table, rules })
    }

    /// What packets met since; nothing if there is nothing yet.
    ///
    /// # Errors
    /// `System`.
    pub fn read(&mut self) -> Result<Vec<Event>> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let Some(told) = self.receive(&mut buffer)? else { return Ok(Vec::new()) };
            // What our own rule does is nobody's concern.
            let told: Vec<Told> = told.into_iter().filter(|told| told.table != self.table).collect();
            // Rules that came later than what was read.
            if told.iter().any(|told| told.handle.is_some() && told.rule(&self.rules).is_none()) {
                self.rules = nft::dump(&mut self.asking)?;
            }
            if !told.is_empty() {
                return Ok(told.into_iter().map(|told| told.event(&self.rules)).collect());
            }
        }
    }

    /// What one datagram tells; None if there is none.
    fn receive(&self, buffer: &mut [u8]) -> Result<Option<Vec<Told>>> {
        let length = match rustix::net::recv(&self.events, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((length, _)) => length,
            // So many packets that not all could be told.
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => return Ok(None),
            Err(errno) => return Err(Error::system("reading traces of nftables", errno)),
        };
        let messages = Messages(buffer.get(..length).unwrap_or_default());
        Ok(Some(messages.map(Answer::of).filter_map(Told::read).collect()))
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rule = &self.rule;
        write!(f, "{} {} {}", rule.family, rule.table, printable(&rule.chain))?;
        if rule.number > 0 {
            write!(f, " #{} {}", rule.number, printable(&self.text))?;
        }
        write!(f, "  → {}", printable(&self.verdict))?;
        self.mark.map_or(Ok(()), |mark| write!(f, " (mark {mark:#x})"))
    }
}

impl AsFd for Watch {
    /// Readable when there is an event.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

/// The table that marks packets.
fn marking(name: &str, watched: &Watched) -> Table {
    let chain = |name: &str, hook| {
        let base = Base { kind: "filter".to_owned(), hook, priority: PRIORITY, accept: true, devices: Vec::new() };
        let rule = Rule::new("packets of this flow are traced", expressions(watched));
        Chain { name: name.to_owned(), base: Some(base), comment: None, rules: vec![rule] }
    };
    Table {
        flags: OWNER,
        comment: Some("phial network trace --live; it goes when that ends".to_owned()),
        chains: vec![chain("arrives", Hook::Prerouting), chain("sent", Hook::Output)],
        ..Table::new(Family::Inet, name)
    }
}

fn expressions(watched: &Watched) -> Vec<Expression> {
    let register = Register::FIRST;
    let is = |value: Vec<u8>| Expression::Cmp { source: register, comparison: Comparison::Equal, value };
    let meta = |key| Expression::Meta { key, destination: register };
    let field = |base, offset, length| Expression::Payload { base, offset, length, destination: register };
    let is_ipv4 = watched.to.is_ipv4();
    let (family, source, destination, width) = if is_ipv4 { (2, 12, 16, 4) } else { (10, 8, 24, 16) };
    let mut all = vec![meta(MetaKey::NfProto), is(vec![family])];
    if let Some(from) = watched.from {
        all.extend([field(HeaderBase::Network, source, width), is(octets(from))]);
    }
    all.extend([field(HeaderBase::Network, destination, width), is(octets(watched.to))]);
    all.extend([meta(MetaKey::L4Proto), is(vec![watched.protocol.number(watched.to)])]);
    if let Some(port) = watched.port.filter(|_| watched.protocol.has_ports()) {
        all.extend([field(HeaderBase::Transport, 2, 2), is(port.to_be_bytes().to_vec())]);
    }
    all.push(Expression::Immediate { destination: register, value: vec![1] });
    all.push(Expression::MetaSet { key: MetaKey::Trace, source: register });
    all
}

/// What the kernel tells of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    family: Family,
    table: String,
    chain: String,
    handle: Option<u64>,
    packet: u32,
    verdict: String,
    input: Option<u32>,
    output: Option<u32>,
    mark: Option<u32>,
    flow: Option<String>,
}

impl Told {
    fn read(Answer { kind, family, attributes: all }: Answer<'_>) -> Option<Told> {
        if kind != TRACE {
            return None;
        }
        let handle = all.be64(TRACE_RULE);
        let is_policy = all.be32(TRACE_KIND) == Some(1);
        let verdict = match all.get(TRACE_VERDICT) {
            Some(verdict) => verdict_words(verdict.nested()),
            None if is_policy => format!("policy {}", code_word(all.be32(TRACE_POLICY).unwrap_or(0))),
            None => "returns".to_owned(),
        };
        Some(Told {
            family: Family::from_number(family),
            table: all.get(TRACE_TABLE).map(Attribute::text)?,
            chain: all.get(TRACE_CHAIN).map(Attribute::text)?,
            handle,
            packet: all.be32(TRACE_ID).unwrap_or(0),
            verdict,
            input: all.be32(TRACE_INPUT),
            output: all.be32(TRACE_OUTPUT),
            mark: all.be32(TRACE_MARK).filter(|mark| *mark != 0),
            flow: flow(all),
        })
    }

    fn rule<'a>(&self, rules: &'a Ruleset) -> Option<(&'a Table, usize, &'a Rule)> {
        let table = rules.table(self.family, &self.table)?;
        let chain = table.chain(&self.chain)?;
        let at = chain.rules.iter().position(|rule| rule.handle.is_some() && rule.handle == self.handle)?;
        Some((table, at, chain.rules.get(at)?))
    }

    fn event(self, rules: &Ruleset) -> Event {
        let found = self.rule(rules);
        Event {
            packet: self.packet,
            text: found.map_or_else(String::new, |(table, at, _)| words::rule(table, &self.chain, at)),
            rule: RuleName {
                family: self.family.name().to_owned(),
                number: found.map_or(0, |(_, at, _)| at + 1),
                handle: self.handle,
                comment: found.and_then(|(.., rule)| words::comment(rule)),
                table: self.table,
                chain: self.chain,
            },
            verdict: self.verdict,
            input: self.input,
            output: self.output,
            mark: self.mark,
            flow: self.flow,
        }
    }
}

fn verdict_words(verdict: Attributes<'_>) -> String {
    let code = verdict.be32(VERDICT_CODE).unwrap_or(0);
    match verdict.get(VERDICT_CHAIN) {
        Some(chain) => format!("{} {}", code_word(code), chain.text()),
        None => code_word(code).to_owned(),
    }
}

fn code_word(code: u32) -> &'static str {
    match code.cast_signed() {
        0 => "drop",
        1 => "accept",
        2 => "stolen",
        3 => "queue",
        -1 => "continue",
        -3 => "jump",
        -4 => "goto",
        -5 => "return",
        _ => "unknown",
    }
}

/// Addresses and ports, from the headers that the kernel shows of a packet at its first rule of each chain.
fn flow(all: Attributes<'_>) -> Option<String> {
    let header = all.get(TRACE_NETWORK)?.bytes;
    let address = |at: usize, width: usize| {
        let bytes = header.get(at..at + width)?;
        bytes
            .first_chunk::<16>()
            .map(|all| IpAddr::from(*all))
            .or_else(|| bytes.first_chunk::<4>().map(|all| IpAddr::from(*all)))
    };
    let (source, destination) = match header.first()? >> 4 {
        4 => (address(12, 4)?, address(16, 4)?),
        6 => (address(8, 16)?, address(24, 16)?),
        _ => return None,
    };
    let ports = all.get(TRACE_TRANSPORT).and_then(|transport| transport.bytes.first_chunk::<4>());
    let words = match ports {
        Some([a, b, c, d]) => {
            let (from, to) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
            format!("{source} port {from} → {destination} port {to}")
        }
        None => format!("{source} → {destination}"),
    };
    Some(words)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::testing::Namespace;

    #[test]
    fn a_packet_is_told_rule_by_rule_and_the_table_goes_with_its_owner() {
        let rules = Table {
            chains: vec![Chain {
                name: "out".to_owned(),
                base: Some(Base {
                    kind: "filter".to_owned(),
                    hook: Hook::Output,
                    priority: 0,
                    accept: true,
                    devices: Vec::new(),
                }),
                comment: None,
                rules: vec![Rule::new("the end", vec![Expression::Verdict(nft::Verdict::Drop)])],
            }],
            ..Table::new(Family::Inet, "t")
        };
        Namespace::new().run(|| {
            let mut socket = nft::Socket::open().expect("there is nftables");
            let mut batch = Batch::new();
            batch.add_whole_table(&rules);
            socket.commit(&batch).expect("is taken");
            let to = [127, 0, 0, 1].into();
            let watched = Watched { from: None, to, protocol: Transport::Udp, port: Some(7) };
            let mut watch = Watch::begin(&watched).expect("can be watched");
            let sender = UdpSocket::bind("127.0.0.1:0").expect("lo is up");
            // The rule drops them, which the sender is told.
            let _ = sender.send_to(b"?", "127.0.0.1:8");
            let _ = sender.send_to(b"?", "127.0.0.1:7");
            let mut events = Vec::new();
            loop {
                let more = watch.read().expect("can be read");
                if more.is_empty() {
                    break;
                }
                events.extend(more);
            }
            let seen: Vec<(&str, usize, &str)> = events
                .iter()
                .map(|event| (event.rule.table.as_str(), event.rule.number, event.verdict.as_str()))
                .collect();
            assert_eq!(seen, [("t", 1, "drop")]);
            assert_eq!(events[0].rule.comment.as_deref(), Some("the end"));
            assert!(events[0].flow.as_ref().is_some_and(|flow| flow.ends_with("port 7")), "{:?}", events[0].flow);
            drop(watch);
            let left = nft::dump(&mut socket).expect("can be read");
            assert_eq!(left.tables.len(), 1);
        });
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            Messages(&bytes).map(Answer::of).filter_map(Told::read).for_each(drop);
            Told::read(Answer { kind: TRACE, family: 0, attributes: Attributes(&bytes) });
        }
    }
}
