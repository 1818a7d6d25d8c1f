//! The socket that carries requests and answers: blocking nowhere, because the kernel answers while it is asked.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::attributes::{Attribute, Attributes};
use super::batch::{Batch, Ends, Step};
use crate::error::{Error, Result};

/// What the kernel fills at once of a list, if it is offered that much. It is memory of the heap, of which only what is
/// written to is ever there.
const BUFFER: usize = 32 * 1024;
/// How often a list is asked for that changes while it is given.
const TRIES: u32 = 8;

/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLMSG_DONE`.
const DONE: u16 = 3;
/// The first type that is not one of netlink itself.
const FIRST_OWN: u16 = 16;
/// `NLM_F_DUMP_INTR`.
const INTERRUPTED: u16 = 0x10;
/// `NLM_F_CAPPED`.
const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`.
const WITH_WORDS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`.
const WORDS: u16 = 1;
/// The largest error number (`MAX_ERRNO`).
const MAX_ERRNO: i32 = 4095;
/// The size of `struct nlmsghdr`.
const HEADER: usize = 16;

/// A netlink socket of the network namespace in which it was made.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
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

/// A message as it arrived.
struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

impl Socket {
    /// A new one in the calling thread's network namespace; without a protocol, for `rtnetlink(7)`.
    pub(crate) fn open(protocol: Option<Protocol>) -> Result<Socket> {
        let made = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol);
        let fd = made.map_err(|errno| Error::system("making a netlink socket", errno))?;
        // What they give is better messages and shorter lists; kernels that do not have them answer all the same.
        let _ = sys::netlink::extended_answers(fd.as_fd());
        let _ = sys::netlink::strict_lists(fd.as_fd());
        Ok(Socket { fd, sequence: 1 })
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
        rustix::net::send(&self.fd, &batch.bytes, SendFlags::empty()).map_err(|errno| Error::system(what, errno))?;
        let mut open = batch.steps.iter().filter(|step| step.ends != Ends::Silently).count();
        let (mut failure, mut interrupted) = (None, false);
        let mut buffer = Vec::with_capacity(BUFFER);
        while open > 0 {
            self.receive(&mut buffer).map_err(|errno| Error::system(format!("{what}: the kernel's answer"), errno))?;
            for message in (Messages { rest: &buffer }) {
                // Answers to an earlier conversation that broke off.
                let Ok(index) = usize::try_from(message.sequence.wrapping_sub(first)) else { continue };
                let Some(step) = batch.steps.get(index) else { continue };
                interrupted |= message.flags & INTERRUPTED != 0;
                let end = match message.kind {
                    ERROR | DONE => {
                        let error = refusal(&message).filter(|(errno, _)| step.tolerated != Some(*errno));
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

    /// One datagram of the kernel's. Others may send to the socket as well: in a container's namespace, its root.
    fn receive(&self, buffer: &mut Vec<u8>) -> std::result::Result<(), Errno> {
        loop {
            buffer.clear();
            let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
            let (_, length, sender) = match rustix::net::recvfrom(&self.fd, spare_capacity(buffer), flags) {
                Err(Errno::INTR) => continue,
                other => other?,
            };
            if length > buffer.len() {
                return Err(Errno::MSGSIZE);
            }
            let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
            if sender.is_some_and(|sender| sender.pid() == 0) {
                return Ok(());
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The messages of a datagram.
struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header: &[u8; HEADER] = self.rest.first_chunk()?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let body = self.rest.get(HEADER..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            body,
        })
    }
}

/// Why a request failed, and the kernel's words for it; None if it succeeded. The end of a list says it as well.
fn refusal(message: &Message<'_>) -> Option<(Errno, String)> {
    let (code, rest) = message.body.split_first_chunk()?;
    let code = i32::from_ne_bytes(*code).checked_neg().filter(|code| (1..=MAX_ERRNO).contains(code))?;
    // Behind the code lies the request: as a whole, or only its header.
    let echoed = match message.kind {
        ERROR if message.flags & CAPPED == 0 => {
            let length = rest.first_chunk().map_or(0, |length| u32::from_ne_bytes(*length));
            usize::try_from(length).unwrap_or(usize::MAX).checked_next_multiple_of(4)
        }
        ERROR => Some(HEADER),
        _ => Some(0),
    };
    let behind = echoed.filter(|_| message.flags & WITH_WORDS != 0).and_then(|echoed| rest.get(echoed..));
    let words = Attributes(behind.unwrap_or_default()).get(WORDS);
    Some((Errno::from_raw_os_error(code), words.map(Attribute::text).unwrap_or_default()))
}

fn worded(step: &Step, errno: Errno, words: &str) -> Error {
    let what = &step.what;
    if words.is_empty() { Error::system(what, errno) } else { Error::system(format_args!("{what}: {words}"), errno) }
}
