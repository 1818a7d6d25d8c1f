//! Questions that others are asked: name servers of the host, or those that the user gave.
//!
//! Each try has a socket, and with it a port, and an identifier of its own, both random: who wants to answer in a server's
//! place has to guess them (RFC 5452). A reply is taken from the server that was asked, if it has the identifier and the
//! question. Nothing is kept of it.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType, recv, send};
use rustix::process::{Resource, getrlimit};

use super::exchange::Exchange;
use super::message::{self, Code, Query};
use super::upstream::{Homes, Upstream};
use crate::watch::{Watch, When};

/// How long a server has for its answer. The resolvers of C libraries ask again after five seconds; until then two servers
/// can have been asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most questions that are on their way, as Docker has it. Each takes a descriptor.
const MOST: u64 = 1024;

/// How often a server that is the only one is asked: a datagram may get lost.
const FEWEST_TRIES: usize = 2;
/// How many servers are asked at most, as many as `resolv.conf(5)` has.
const MOST_TRIES: usize = 3;

/// How many datagrams of one server are read before others have their turn.
const AT_ONCE: usize = 64;

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// By UDP, from this address.
    Datagram(SocketAddrV4),
    /// On the connection of this number.
    Stream(u64),
}

/// Replies that can be passed on.
pub(super) type Replies = Vec<(Asker, Vec<u8>)>;

/// Everything that others were asked and have not answered.
#[derive(Debug)]
pub(super) struct Forward {
    servers: Vec<Upstream>,
    homes: Homes,
    pending: BTreeMap<u64, Pending>,
    next: u64,
}

/// A question that is on its way.
#[derive(Debug)]
struct Pending {
    asker: Asker,
    /// As it was asked.
    query: Box<[u8]>,
    question_length: usize,
    /// Most bytes of a reply.
    limit: usize,
    /// How many servers were asked before.
    tries: usize,
    /// What a server said that could not answer.
    excuse: Option<Vec<u8>>,
    attempt: Option<Attempt>,
}

/// One server being asked.
#[derive(Debug)]
struct Attempt {
    socket: OwnedFd,
    id: [u8; 2],
    deadline: Instant,
    /// By TCP, what was sent and received so far.
    exchange: Option<Exchange>,
}

/// How a try ended.
enum End {
    /// With a reply.
    Reply(Vec<u8>),
    /// With nothing that helps.
    Failed,
}

impl Forward {
    pub(super) fn new(servers: Vec<Upstream>, homes: Homes) -> Forward {
        let servers = servers.into_iter().filter(Upstream::is_not_ourselves).collect();
        Forward { servers, homes, pending: BTreeMap::new(), next: 0 }
    }

    /// When the first of the servers that were asked has had its time.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.values().filter_map(|pending| pending.attempt.as_ref()).map(|attempt| attempt.deadline).min()
    }

    /// Asks the servers, the first one first.
    pub(super) fn ask(&mut self, watch: &Watch, query: &Query<'_>, asker: Asker, replies: &mut Replies) {
        while self.pending.len() as u64 >= Forward::most() {
            self.drop_oldest(replies);
        }
        let limit = match asker {
            Asker::Datagram(_) => query.udp_limit(),
            Asker::Stream(_) => usize::from(u16::MAX),
        };
        let pending = Pending {
            asker,
            query: query.bytes.into(),
            question_length: query.question().len(),
            limit,
            tries: 0,
            excuse: None,
            attempt: None,
        };
        let number = self.next;
        self.next += 1;
        self.attempt(watch, number, pending, replies);
    }

    /// Takes what a server sent.
    pub(super) fn ready(&mut self, watch: &Watch, number: u64, replies: &mut Replies) {
        let Some(mut pending) = self.pending.remove(&number) else { return };
        match pending.read() {
            None => {
                self.pending.insert(number, pending);
            }
            Some(End::Failed) => self.attempt(watch, number, pending, replies),
            Some(End::Reply(reply)) => {
                let failed = message::is_failure(&reply);
                if failed && pending.tries < self.servers.len() {
                    pending.excuse = Some(reply);
                    self.attempt(watch, number, pending, replies);
                } else {
                    replies.push((pending.asker, pending.translated(reply)));
                }
            }
        }
    }

    /// Asks the next server where one has had its time.
    pub(super) fn due(&mut self, watch: &Watch, now: Instant, replies: &mut Replies) {
        let late = |pending: &Pending| pending.attempt.as_ref().is_some_and(|attempt| attempt.deadline <= now);
        let numbers: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| late(pending)).map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(pending) = self.pending.remove(&number) {
                self.attempt(watch, number, pending, replies);
            }
        }
    }

    /// Forgets what somebody asked who is gone.
    pub(super) fn forget(&mut self, asker: Asker) {
        self.pending.retain(|_, pending| pending.asker != asker);
    }

    /// Asks the next server that can be asked, or gives up.
    fn attempt(&mut self, watch: &Watch, number: u64, mut pending: Pending, replies: &mut Replies) {
        pending.attempt = None;
        let most = if self.servers.is_empty() { 0 } else { self.servers.len().clamp(FEWEST_TRIES, MOST_TRIES) };
        while pending.tries < most {
            let server = &self.servers[pending.tries % self.servers.len()];
            pending.tries += 1;
            let mut started = pending.start(server, &self.homes);
            if started == Err(Errno::MFILE) && !self.pending.is_empty() {
                let oldest = self.pending.pop_first();
                replies.extend(oldest.map(|(_, oldest)| (oldest.asker, oldest.failure())));
                started = pending.start(server, &self.homes);
            }
            let watched = pending.attempt.as_ref().map(|attempt| {
                let when = if attempt.exchange.is_some() { When::Changed } else { When::Readable };
                watch.add(&attempt.socket, super::Token::Forwarded(number).number(), when)
            });
            if started.is_ok() && watched == Some(Ok(())) {
                self.pending.insert(number, pending);
                return;
            }
            pending.attempt = None;
        }
        replies.push((pending.asker, pending.failure()));
    }

    fn drop_oldest(&mut self, replies: &mut Replies) {
        replies.extend(self.pending.pop_first().map(|(_, pending)| (pending.asker, pending.failure())));
    }

    /// How many may be on their way: half of the descriptors are for everything else.
    pub(super) fn most() -> u64 {
        getrlimit(Resource::Nofile).current.map_or(MOST, |limit| (limit / 2).clamp(1, MOST))
    }
}

impl Pending {
    /// Asks one server.
    fn start(&mut self, server: &Upstream, homes: &Homes) -> Result<(), Errno> {
        let mut id = [0; 2];
        rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
        let mut query = self.query.to_vec();
        query[..2].copy_from_slice(&id);
        let (kind, is_stream) = match self.asker {
            Asker::Datagram(_) => (SocketType::DGRAM, false),
            Asker::Stream(_) => (SocketType::STREAM, true),
        };
        let socket = server.connect(kind, homes)?;
        let exchange = is_stream.then(|| Exchange::new(&query));
        if !is_stream {
            send(&socket, &query, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
        }
        let deadline = Instant::now() + PATIENCE;
        self.attempt = Some(Attempt { socket, id, deadline, exchange });
        Ok(())
    }

    /// Reads what there is; None if that is not all.
    fn read(&mut self) -> Option<End> {
        let Some(attempt) = &mut self.attempt else { return Some(End::Failed) };
        let question = &self.query[message::HEADER..message::HEADER + self.question_length];
        if let Some(exchange) = &mut attempt.exchange {
            return match exchange.go_on(attempt.socket.as_fd()) {
                Ok(None) => None,
                Ok(Some(reply)) if message::answers(&reply, attempt.id, question) => Some(End::Reply(reply)),
                Ok(Some(_)) | Err(_) => Some(End::Failed),
            };
        }
        // A reply that is longer than what was asked for is none of a server that keeps to the rules.
        let mut reply = Vec::with_capacity(self.limit);
        for _ in 0..AT_ONCE {
            reply.clear();
            match recv(&attempt.socket, spare_capacity(&mut reply), RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
                Ok((length, whole)) if length == whole && message::answers(&reply, attempt.id, question) => {
                    return Some(End::Reply(reply));
                }
                // Of somebody who guesses, or late.
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return None,
                Err(_) => return Some(End::Failed),
            }
        }
        // What is left is reported again, after what others have sent.
        None
    }

    /// A reply as it goes to who asked.
    fn translated(&self, mut reply: Vec<u8>) -> Vec<u8> {
        reply[..2].copy_from_slice(&self.query[..2]);
        reply.shrink_to_fit();
        reply
    }

    /// What is said when nobody has answered.
    fn failure(mut self) -> Vec<u8> {
        match self.excuse.take() {
            Some(excuse) => self.translated(excuse),
            None => message::failure(&self.query, self.question_length, Code::ServFail),
        }
    }
}
