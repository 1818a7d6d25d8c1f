//! Messages over TCP, each behind its length (RFC 1035, 4.2.2).

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// Bytes of a length.
const LENGTH: usize = 2;

/// Bytes that are read at once.
const PART: usize = 1024;

/// Bytes on their way out of a connection.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

/// Bytes on their way in.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
}

/// A question on its way to a server, and the answer on its way back.
#[derive(Debug)]
pub(super) struct Exchange {
    outgoing: Outgoing,
    incoming: Incoming,
}

impl Outgoing {
    /// Puts a message behind what is on its way.
    pub(super) fn push(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(&u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.bytes.extend_from_slice(message);
    }

    /// Sends what can be sent; whether that is all.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>) -> Result<bool, Errno> {
        while self.sent < self.bytes.len() {
            match send(socket, &self.bytes[self.sent..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => self.sent += sent,
                // A connection that is not there yet says so, too.
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        *self = Outgoing::default();
        Ok(true)
    }
}

impl Incoming {
    /// The next message, of at most `most` bytes; None if it is not there yet. Nothing behind it is read.
    ///
    /// # Errors
    /// `EMSGSIZE` for a longer one, `ECONNRESET` at the end.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, most: usize) -> Result<Option<Vec<u8>>, Errno> {
        loop {
            let wanted = match self.bytes.first_chunk::<LENGTH>() {
                None => LENGTH,
                Some(length) => LENGTH + usize::from(u16::from_be_bytes(*length)),
            };
            if wanted > LENGTH + most {
                return Err(Errno::MSGSIZE);
            }
            if self.bytes.len() >= LENGTH && self.bytes.len() == wanted {
                let message = self.bytes.split_off(LENGTH);
                self.bytes = Vec::new();
                return Ok(Some(message));
            }
            let mut part = [0; PART];
            let missing = (wanted - self.bytes.len()).min(PART);
            match recv(socket, &mut part[..missing], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Err(Errno::CONNRESET),
                Ok((length, _)) => self.bytes.extend_from_slice(&part[..length]),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl Exchange {
    /// Of a question on a connection that may not be there yet.
    pub(super) fn new(query: &[u8]) -> Exchange {
        let mut outgoing = Outgoing::default();
        outgoing.push(query);
        Exchange { outgoing, incoming: Incoming::default() }
    }

    /// Goes on as far as possible; the answer, once it is there.
    pub(super) fn go_on(&mut self, socket: BorrowedFd<'_>) -> Result<Option<Vec<u8>>, Errno> {
        if self.outgoing.send(socket)? { self.incoming.receive(socket, usize::from(u16::MAX)) } else { Ok(None) }
    }
}
