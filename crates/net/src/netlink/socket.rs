//! Requests of `rtnetlink(7)` and others like it, and their answers.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::net::Protocol;

use super::attributes::Attributes;
use super::batch::{Batch, Ends, Step};
use super::message::{DONE, ERROR, Messages};
use super::wire::Wire;
use crate::error::{Error, Result};

/// How often a list is asked for that changes while it is given.
const TRIES: u32 = 8;

/// The first type that is not one of netlink itself.
const FIRST_OWN: u16 = 16;

/// A netlink socket of the network namespace in which it was made.
#[derive(Debug)]
pub(crate) struct Socket {
    wire: Wire,
    /// The number of the next request.
    sequence: u32,
}

/// A message that answers a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    /// Its type.
    pub(crate) kind: u16,
    /// What follows `struct nlmsghdr`.
    pub(crate) body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The header of this size, if the message is long enough to have one, and the attributes behind it.
    pub(crate) fn split<const N: usize>(self) -> Option<([u8; N], Attributes<'a>)> {
        let (header, rest) = self.body.split_first_chunk()?;
        Some((*header, Attributes(rest)))
    }
}

impl Socket {
    /// A new one in the calling thread's network namespace; without a protocol, for `rtnetlink(7)`.
    pub(crate) fn open(protocol: Option<Protocol>) -> Result<Socket> {
        let wire = Wire::open(protocol)?;
        // Shorter lists; kernels that do not have them answer all the same.
        let _ = sys::netlink::strict_lists(wire.as_fd());
        Ok(Socket { wire, sequence: 1 })
    }

    /// Sends requests and gives `each` the messages that answer them, with the number of the request.
    ///
    /// # Errors
    /// That of the first request that failed; those behind it were tried as well.
    pub(crate) fn exchange(&mut self, batch: Batch, each: impl FnMut(usize, Answer<'_>)) -> Result<()> {
        self.converse(batch, each).map(|_| ())
    }

    /// Sends requests that are answered by nothing but success.
    ///
    /// # Errors
    /// As of [`Socket::exchange`].
    pub(crate) fn apply(&mut self, batch: Batch) -> Result<()> {
        self.exchange(batch, |_, _| {})
    }

    /// Asks for a list, again if it changed while it was given, and collects what `read` makes of each message. A list
    /// that never stands still is taken as it is.
    ///
    /// # Errors
    /// As of [`Socket::exchange`].
    pub(crate) fn collect<T>(
        &mut self,
        ask: impl Fn(&mut Batch),
        mut read: impl FnMut(Answer<'_>) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut tries = 0;
        loop {
            let mut batch = Batch::default();
            ask(&mut batch);
            let mut found = Vec::new();
            let interrupted = self.converse(batch, |_, answer| found.extend(read(answer)))?;
            tries += 1;
            if !interrupted || tries == TRIES {
                return Ok(found);
            }
        }
    }

    /// The conversation; whether a list changed while it was given.
    fn converse(&mut self, mut batch: Batch, mut each: impl FnMut(usize, Answer<'_>)) -> Result<bool> {
        let first = self.sequence;
        batch.seal(first);
        self.sequence = first.wrapping_add(u32::try_from(batch.steps.len()).unwrap_or(u32::MAX));
        let what = batch.steps.first().map_or("", |step| step.what.as_str());
        let sent = if batch.writer.overflow() { Err(Errno::MSGSIZE) } else { self.wire.send(batch.writer.bytes()) };
        sent.map_err(|errno| Error::system(what, errno))?;
        let mut open = batch.steps.iter().filter(|step| step.ends != Ends::Silently).count();
        let (mut failure, mut interrupted) = (None, false);
        let mut buffer = Vec::new();
        while open > 0 {
            self.wire
                .receive(&mut buffer)
                .map_err(|errno| Error::system(format!("{what}: the kernel's answer"), errno))?;
            for message in Messages(&buffer) {
                // Answers to an earlier conversation that broke off.
                let Ok(index) = usize::try_from(message.sequence.wrapping_sub(first)) else { continue };
                let Some(step) = batch.steps.get(index) else { continue };
                interrupted |= message.is_interrupted();
                let end = match message.kind {
                    ERROR | DONE => {
                        let error = message.refusal().filter(|(errno, _)| step.tolerated != Some(*errno));
                        failure = failure.or_else(|| error.map(|(errno, words)| worded(step, errno, &words)));
                        step.ends != Ends::Silently
                    }
                    FIRST_OWN.. => {
                        each(index, Answer { kind: message.kind, body: message.body });
                        step.ends == Ends::WithAnswer
                    }
                    _ => false,
                };
                open = open.saturating_sub(usize::from(end));
            }
        }
        failure.map_or(Ok(interrupted), Err)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }
}

fn worded(step: &Step, errno: Errno, words: &str) -> Error {
    let what = &step.what;
    if words.is_empty() { Error::system(what, errno) } else { Error::system(format_args!("{what}: {words}"), errno) }
}
