//! Connections of those who ask by TCP (RFC 7766).

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use super::Token;
use super::exchange::{Incoming, Outgoing};
use super::message::MOST_QUERY;
use crate::watch::{Watch, When};

/// How long a connection may stay without a question.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most connections. When there is another one, the one that has been quiet longest goes.
const MOST: usize = 64;

/// A connection. Its questions are answered one after the other.
#[derive(Debug)]
pub(super) struct Stream {
    socket: OwnedFd,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Whether its question was passed on, and no answer is there yet.
    pub(super) waits: bool,
    deadline: Instant,
}

/// All of them, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Streams {
    all: BTreeMap<u64, Stream>,
    next: u64,
}

impl Stream {
    /// The next question; None if there is none yet, or the answer to the one before is still to be sent.
    ///
    /// # Errors
    /// The connection is at its end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Errno> {
        if !self.send()? || self.waits {
            return Ok(None);
        }
        let query = self.incoming.receive(self.socket.as_fd(), MOST_QUERY)?;
        if query.is_some() {
            self.deadline = Instant::now() + PATIENCE;
        }
        Ok(query)
    }

    /// Answers.
    pub(super) fn reply(&mut self, bytes: &[u8]) {
        self.waits = false;
        self.outgoing.push(bytes);
    }

    /// Sends what can be sent of the replies; whether that is all.
    ///
    /// # Errors
    /// The connection is at its end.
    pub(super) fn send(&mut self) -> Result<bool, Errno> {
        self.outgoing.send(self.socket.as_fd())
    }

    /// Comes again, after others.
    pub(super) fn again(&self, watch: &Watch, number: u64) {
        watch.again(&self.socket, Token::Stream(number).number(), When::Changed).ok();
    }
}

impl Streams {
    /// Takes a connection that waits; the number of one that had to go for it.
    ///
    /// # Errors
    /// `EAGAIN` if none waits.
    pub(super) fn accept(&mut self, watch: &Watch, listener: &OwnedFd) -> Result<Option<u64>, Errno> {
        let socket = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        let number = self.next;
        self.next += 1;
        watch.add(&socket, Token::Stream(number).number(), When::Changed)?;
        let (incoming, outgoing) = (Incoming::default(), Outgoing::default());
        let deadline = Instant::now() + PATIENCE;
        let gone = if self.all.len() >= MOST { self.quietest() } else { None };
        gone.map(|gone| self.all.remove(&gone));
        self.all.insert(number, Stream { socket, incoming, outgoing, waits: false, deadline });
        Ok(gone)
    }

    /// Closes one for its descriptor; its number.
    pub(super) fn drop_quietest(&mut self) -> Option<u64> {
        let number = self.quietest()?;
        self.all.remove(&number).map(|_| number)
    }

    fn quietest(&self) -> Option<u64> {
        self.all.iter().min_by_key(|(_, stream)| stream.deadline).map(|(number, _)| *number)
    }

    /// One of them, to be put back by [`Streams::put`].
    pub(super) fn take(&mut self, number: u64) -> Option<Stream> {
        self.all.remove(&number)
    }

    pub(super) fn put(&mut self, number: u64, stream: Stream) {
        self.all.insert(number, stream);
    }

    /// When the first has been quiet for too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.all.values().map(|stream| stream.deadline).min()
    }

    /// Closes those that have been quiet for too long; their numbers.
    pub(super) fn due(&mut self, now: Instant) -> Vec<u64> {
        let late = self.all.iter().filter(|(_, stream)| stream.deadline <= now).map(|(number, _)| *number);
        let late: Vec<u64> = late.collect();
        self.all.retain(|_, stream| stream.deadline > now);
        late
    }
}
