//! The connection to the kernel: batches out, answers in.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, sockopt};

use super::attribute::{Message, Messages, Writer};
use super::encode::Batch;
use super::number::{flag, generation, message};
use crate::error::{Error, ErrorKind, Result};

/// What the kernel fills at once of a list, if it is offered that much. The memory is kept, because giving it back and asking for it anew
/// takes longer than most questions.
const RECEIVE: usize = 32 * 1024;
/// How much may be sent without asking for more; what new sockets have (`net.core.wmem_default`), and some distance.
const SEND: usize = 128 * 1024;
/// How often a dump begins anew because the ruleset changes meanwhile.
const TRIES: usize = 32;

/// A netlink socket of the network namespace that it was opened in.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens one in the network namespace of this thread.
    ///
    /// # Errors
    /// `Unsupported` for a kernel without nfnetlink.
    pub fn open() -> Result<Socket> {
        let fd = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )
        .map_err(|errno| match errno {
            Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT => {
                Error::new(ErrorKind::Unsupported, "this kernel has no nfnetlink")
                    .with_hint("load the module nfnetlink")
            }
            errno => Error::system("socket(AF_NETLINK, NETLINK_NETFILTER)", errno),
        })?;
        rustix::net::connect(&fd, &SocketAddrNetlink::new(0, 0))
            .map_err(|errno| Error::system("connect(netlink, kernel)", errno))?;
        // Better messages, which older kernels do not have.
        let _ = sys::netlink::extended_answers(fd.as_fd());
        Ok(Socket { fd, sequence: 0, buffer: Vec::new() })
    }

    /// Carries out a batch: all of it, or nothing.
    ///
    /// The kernel works within the call that sends, so its answers are there when that returns; there are none if it
    /// did what it was told. So nothing has to be acknowledged, and nothing that is lost would be missed.
    ///
    /// # Errors
    /// `System` with the kernel's number and the first thing it did not take.
    pub fn commit(&mut self, batch: &Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let messages = batch.finished().ok_or_else(|| Error::invalid("nftables: one change is longer than 64 KB"))?;
        if messages.len() > SEND {
            self.let_send(messages.len())?;
        }
        self.send(&messages)?;
        let mut first: Option<(u32, i32)> = None;
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            match self.receive(&mut buffer) {
                Ok(()) => {
                    let errors = Messages(&buffer).filter(|message| message.kind == message::ERROR);
                    for (sequence, number) in errors.filter_map(|error| error.failed_sequence().zip(error.error())) {
                        if number != 0 {
                            first.get_or_insert((sequence, number));
                        }
                    }
                }
                Err(Errno::AGAIN) => break,
                // So many errors that not all could be kept: the first ones were.
                Err(Errno::NOBUFS) => {
                    first.get_or_insert((0, Errno::NOBUFS.raw_os_error()));
                }
                Err(errno) => return Err(Error::system("recvmsg(netlink)", errno)),
            }
        }
        self.buffer = buffer;
        first.map_or(Ok(()), |(sequence, number)| Err(refused(batch, sequence, number)))
    }

    /// The number that the kernel counts up with every batch.
    pub fn generation(&mut self) -> Result<u32> {
        let mut found = None;
        self.request(
            message::GET_GENERATION,
            0,
            0,
            |_| (),
            |answer| {
                if answer.kind == message::NEW_GENERATION {
                    found = answer.attributes().u32(generation::ID);
                }
            },
        )
        .map_err(|errno| Error::system("nftables: generation", errno))?;
        found.ok_or_else(|| Error::system("nftables: generation", Errno::PROTO))
    }

    /// Asks for all of something. `take` gets each answer; `reset` is called when all starts anew, because the ruleset has changed
    /// meanwhile.
    pub(super) fn dump<T>(
        &mut self,
        kind: u16,
        family: u8,
        fill: impl Fn(&mut Writer),
        take: impl Fn(&mut T, Message<'_>),
        new: impl Fn() -> T,
    ) -> std::result::Result<T, Errno> {
        for _ in 0..TRIES {
            let mut all = new();
            let mut interrupted = false;
            let answer = self.request(kind, flag::DUMP, family, &fill, |answer| {
                interrupted |= answer.flags & flag::DUMP_INTERRUPTED != 0;
                take(&mut all, answer);
            });
            match answer {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
                Ok(()) if interrupted => {}
                Ok(()) => return Ok(all),
            }
        }
        Err(Errno::INTR)
    }

    /// Sends a request, and takes answers until the last.
    pub(super) fn request(
        &mut self,
        kind: u16,
        flags: u16,
        family: u8,
        fill: impl FnOnce(&mut Writer),
        mut take: impl FnMut(Message<'_>),
    ) -> std::result::Result<(), Errno> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let mut writer = Writer::default();
        // A dump ends with a message of its own; anything else with the acknowledgement.
        let flags = if flags & flag::DUMP == 0 { flags | flag::ACK } else { flags };
        let start = writer.begin(kind, flag::REQUEST | flags, sequence, family, 0);
        fill(&mut writer);
        writer.end(start);
        if writer.overflow() {
            return Err(Errno::MSGSIZE);
        }
        rustix::net::send(&self.fd, writer.bytes(), SendFlags::empty())?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let answer = self.answers(sequence, &mut buffer, &mut take);
        self.buffer = buffer;
        answer
    }

    /// Takes answers until the last. The kernel has answered when it has been asked, so there is nothing to wait for.
    fn answers(
        &self,
        sequence: u32,
        buffer: &mut Vec<u8>,
        take: &mut dyn FnMut(Message<'_>),
    ) -> std::result::Result<(), Errno> {
        loop {
            self.receive(buffer)?;
            for answer in Messages(buffer).filter(|answer| answer.sequence == sequence) {
                match answer.kind {
                    message::ERROR | message::DONE => return end(answer),
                    _ => take(answer),
                }
            }
        }
    }

    fn send(&self, messages: &[u8]) -> Result<()> {
        let sent = rustix::io::retry_on_intr(|| rustix::net::send(&self.fd, messages, SendFlags::empty()));
        sent.map(drop).map_err(|errno| Error::system(format!("nftables: sending {} bytes", messages.len()), errno))
    }

    fn receive(&self, buffer: &mut Vec<u8>) -> std::result::Result<(), Errno> {
        buffer.clear();
        buffer.reserve(RECEIVE);
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (_, length) =
            rustix::io::retry_on_intr(|| rustix::net::recv(&self.fd, rustix::buffer::spare_capacity(buffer), flags))?;
        if length > buffer.len() { Err(Errno::MSGSIZE) } else { Ok(()) }
    }

    /// One datagram has to fit into the socket's buffer. Beyond the limit of all only who may administer the network.
    fn let_send(&self, length: usize) -> Result<()> {
        sockopt::set_socket_send_buffer_size_force(&self.fd, length)
            .or_else(|_| sockopt::set_socket_send_buffer_size(&self.fd, length))
            .map_err(|errno| Error::system(format!("nftables: a buffer of {length} bytes"), errno))
    }
}

fn end(answer: Message<'_>) -> std::result::Result<(), Errno> {
    match answer.error() {
        Some(number) if number > 0 => Err(Errno::from_raw_os_error(number)),
        _ => Ok(()),
    }
}

fn refused(batch: &Batch, sequence: u32, number: i32) -> Error {
    let errno = Errno::from_raw_os_error(number);
    let error = Error::system(format!("nftables: {}", batch.subject(sequence).unwrap_or("batch")), errno);
    match errno {
        Errno::PERM => error.with_hint("only root, or who has CAP_NET_ADMIN, may change the firewall"),
        Errno::OPNOTSUPP => error
            .with_hint("the kernel lacks part of nftables: modules nf_tables, nft_chain_nat, nft_fib_inet, nft_masq"),
        _ => error,
    }
}
