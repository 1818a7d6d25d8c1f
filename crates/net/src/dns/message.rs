//! Messages (RFC 1035, 4; RFC 6891): reading queries and writing replies, by hand, because one question in and a few records
//! out are all there is to it. Pure. Whatever is read is hostile.

use std::net::IpAddr;

use super::name::{self, Name};

/// Longest query that is taken, bytes: a name, and options. What UDP carries everywhere in one packet.
pub(super) const MOST_QUERY: usize = 1232;

/// Bytes of the header.
pub(super) const HEADER: usize = 12;

/// Most bytes that a reply by UDP has if nobody says otherwise (RFC 1035, 4.2.1).
const PLAIN_UDP: u16 = 512;

/// How many bytes of UDP we take, for whom it may concern.
const OUR_UDP: u16 = 1232;

/// How long others may keep an answer, seconds. Addresses of containers go to others as soon as they are free, so it has to
/// be short; it is not zero, so that proxies that ask per request ask once per second.
const KEEP: u32 = 1;

/// Kinds of records.
pub(super) mod kind {
    pub(in crate::dns) const A: u16 = 1;
    pub(in crate::dns) const PTR: u16 = 12;
    pub(in crate::dns) const AAAA: u16 = 28;
    pub(in crate::dns) const OPT: u16 = 41;
}

/// The class of the Internet, and of any.
const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;

/// How it went (RFC 1035, 4.1.1; RFC 6891, 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Well.
    NoError = 0,
    /// The query is no query.
    FormErr = 1,
    /// Nobody who was asked has answered.
    ServFail = 2,
    /// There is no such name.
    NxDomain = 3,
    /// That is not offered.
    NotImp = 4,
    /// Not in this version of extensions.
    BadVers = 16,
}

/// A query with one question.
pub(super) struct Query<'a> {
    /// The whole message.
    pub(super) bytes: &'a [u8],
    /// What is asked about.
    pub(super) name: Name,
    /// Which kind of records.
    pub(super) kind: u16,
    class: u16,
    question_end: usize,
    extended: Option<Extended>,
}

/// What the asker says of itself (RFC 6891).
#[derive(Debug, Clone, Copy)]
struct Extended {
    udp: u16,
    version: u8,
    /// Its flag "DNSSEC OK" alone.
    flags: u16,
}

/// Reads a message of somebody who asks.
///
/// # Errors
/// What is answered to something that is no query, if anything: its header with a code, which is no longer than itself.
pub(super) fn read(bytes: &[u8]) -> Result<Query<'_>, Option<[u8; HEADER]>> {
    const RESPONSE: u8 = 0x80;
    const OPERATION: u8 = 0x78;
    let header = bytes.first_chunk::<HEADER>().ok_or(None)?;
    // Two servers must not keep each other busy.
    if header[2] & RESPONSE != 0 {
        return Err(None);
    }
    if header[2] & OPERATION != 0 {
        return Err(Some(bare(header, Code::NotImp)));
    }
    query(bytes).filter(|_| bytes.len() <= MOST_QUERY).ok_or_else(|| Some(bare(header, Code::FormErr)))
}

fn query(bytes: &[u8]) -> Option<Query<'_>> {
    let counts = [4, 6, 8, 10].map(|at| word(bytes, at).unwrap_or(0));
    let [1, answers, authorities, additional] = counts else { return None };
    let (name, length) = Name::read(bytes.get(HEADER..)?)?;
    let question_end = HEADER + length + 4;
    let (kind, class) = (word(bytes, question_end - 4)?, word(bytes, question_end - 2)?);
    let mut query = Query { bytes, name, kind, class, question_end, extended: None };
    let mut at = question_end;
    for _ in 0..usize::from(answers) + usize::from(authorities) + usize::from(additional) {
        at = query.record(at)?;
    }
    (at == bytes.len()).then_some(query)
}

impl Query<'_> {
    /// Reads the record at `at`; where the next one is.
    fn record(&mut self, at: usize) -> Option<usize> {
        let fields = skip_name(self.bytes, at)?;
        let end = fields + 10 + usize::from(word(self.bytes, fields + 8)?);
        if word(self.bytes, fields)? == kind::OPT {
            // There is one at most, and the root is its name.
            if self.extended.is_some() || fields != at + 1 {
                return None;
            }
            let [_, version] = word(self.bytes, fields + 4)?.to_be_bytes();
            let flags = word(self.bytes, fields + 6)? & 0x8000;
            self.extended = Some(Extended { udp: word(self.bytes, fields + 2)?, version, flags });
        }
        (end <= self.bytes.len()).then_some(end)
    }

    /// The question, as it stands in the message.
    pub(super) fn question(&self) -> &[u8] {
        &self.bytes[HEADER..self.question_end]
    }

    /// Whether it asks about the Internet.
    pub(super) fn is_internet(&self) -> bool {
        self.class == CLASS_IN || self.class == CLASS_ANY
    }

    /// Whether it asks in the words of a version of extensions that is not known.
    pub(super) fn is_foreign_version(&self) -> bool {
        self.extended.is_some_and(|extended| extended.version != 0)
    }

    /// Most bytes of a reply by UDP.
    pub(super) fn udp_limit(&self) -> usize {
        self.extended.map_or(PLAIN_UDP, |extended| extended.udp.max(PLAIN_UDP)).into()
    }
}

/// A reply that is being written.
pub(super) struct Reply<'a> {
    bytes: &'a mut Vec<u8>,
    /// Most bytes of answers.
    limit: usize,
    answers: u16,
    extended: Option<Extended>,
    code: Code,
}

impl<'a> Reply<'a> {
    /// Begins a reply of at most `limit` bytes in a buffer, in place of what is in it.
    pub(super) fn new(query: &Query<'_>, code: Code, limit: usize, buffer: &'a mut Vec<u8>) -> Reply<'a> {
        buffer.clear();
        buffer.extend_from_slice(&query.bytes[..query.question_end]);
        set_flags(buffer, code);
        let limit = if query.extended.is_some() { limit.saturating_sub(OPTIONS) } else { limit };
        Reply { bytes: buffer, limit, answers: 0, extended: query.extended, code }
    }

    /// Adds an address of the name that was asked about; false if there is no room.
    pub(super) fn address(&mut self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.record(kind::A, |bytes| {
                bytes.extend_from_slice(&address.octets());
                true
            }),
            IpAddr::V6(address) => self.record(kind::AAAA, |bytes| {
                bytes.extend_from_slice(&address.octets());
                true
            }),
        }
    }

    /// Adds the name of the address that was asked about, if it can be said in a message.
    pub(super) fn pointer(&mut self, parts: &str) -> bool {
        self.record(kind::PTR, |bytes| name::write(parts, bytes))
    }

    /// Adds a record; without room for it, says that there is more.
    fn record(&mut self, kind: u16, data: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        /// The question's name, which follows the header, as a reference.
        const ASKED_NAME: [u8; 2] = [0xc0, 0x0c];
        const TRUNCATED: u8 = 0x02;
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&ASKED_NAME);
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&CLASS_IN.to_be_bytes());
        self.bytes.extend_from_slice(&KEEP.to_be_bytes());
        let length_at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        let said = data(self.bytes);
        let length = u16::try_from(self.bytes.len() - length_at - 2).unwrap_or(u16::MAX);
        self.bytes[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        let fits = self.bytes.len() <= self.limit && self.answers < u16::MAX;
        if said && fits {
            self.answers += 1;
            return true;
        }
        self.bytes.truncate(before);
        if !fits {
            self.bytes[2] |= TRUNCATED;
        }
        false
    }

    /// Completes it.
    pub(super) fn finish(self) {
        let mut additional = 0_u16;
        if let Some(extended) = self.extended {
            additional = 1;
            self.bytes.push(0);
            self.bytes.extend_from_slice(&kind::OPT.to_be_bytes());
            self.bytes.extend_from_slice(&OUR_UDP.to_be_bytes());
            self.bytes.extend_from_slice(&[(self.code as u8) >> 4, 0]);
            self.bytes.extend_from_slice(&extended.flags.to_be_bytes());
            self.bytes.extend_from_slice(&[0; 2]);
        }
        for (at, count) in [(4, 1), (6, self.answers), (8, 0), (10, additional)] {
            self.bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
    }
}

/// Bytes of the record of extensions in a reply.
const OPTIONS: usize = 11;

/// Makes a query's header one of a reply: flags and code.
fn set_flags(bytes: &mut [u8], code: Code) {
    const RESPONSE: u8 = 0x80;
    const OPERATION: u8 = 0x78;
    const AUTHORITATIVE: u8 = 0x04;
    const RECURSION_DESIRED: u8 = 0x01;
    const RECURSION_AVAILABLE: u8 = 0x80;
    let ours = if code == Code::ServFail { 0 } else { AUTHORITATIVE };
    bytes[2] = RESPONSE | ours | bytes[2] & (OPERATION | RECURSION_DESIRED);
    bytes[3] = RECURSION_AVAILABLE | (code as u8 & 0x0f);
}

fn bare(header: &[u8; HEADER], code: Code) -> [u8; HEADER] {
    let mut reply = *header;
    reply[4..].fill(0);
    set_flags(&mut reply, code);
    reply
}

/// What is answered to a query of which nothing else is known than that there is no answer.
pub(super) fn failure(query: &[u8], question_length: usize, code: Code) -> Vec<u8> {
    let mut reply = query[..HEADER + question_length].to_vec();
    set_flags(&mut reply, code);
    reply[4..HEADER].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    reply
}

/// Whether a server says that it cannot or will not answer, so that another one may.
pub(super) fn is_failure(reply: &[u8]) -> bool {
    const REFUSED: u8 = 5;
    let code = reply.get(3).map(|flags| flags & 0x0f);
    code == Some(Code::ServFail as u8) || code == Some(REFUSED)
}

/// Whether a message of another server answers the question, asked as `id`. Case is not compared, because there are servers
/// that change it. Those that understood nothing of it do not repeat it.
pub(super) fn answers(reply: &[u8], id: [u8; 2], question: &[u8]) -> bool {
    const RESPONSE: u8 = 0x80;
    if reply.len() < HEADER || reply[..2] != id || reply[2] & RESPONSE == 0 {
        return false;
    }
    let repeated = || reply.get(HEADER..HEADER + question.len());
    match word(reply, 4) {
        Some(0) => reply.len() == HEADER && reply[3] & 0x0f != 0,
        Some(1) => repeated().is_some_and(|found| found.eq_ignore_ascii_case(question)),
        _ => false,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}

/// Where a name ends that may end in a reference.
fn skip_name(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}
