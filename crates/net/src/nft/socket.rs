//! The connection to the kernel: batches out, answers in.

use rustix::io::Errno;
use rustix::net::{netlink, sockopt};

use super::encode::{self, Batch};
use super::number::{generation, message};
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::{ACK, Attributes, DONE, DUMP, ERROR, Message, Messages, REQUEST, Wire, Writer};

/// How much may be sent without asking for more; what new sockets have (`net.core.wmem_default`), and some distance.
const SEND: usize = 128 * 1024;
/// How often a dump begins anew because the ruleset changes meanwhile.
const TRIES: usize = 32;

/// A netlink socket of the network namespace that it was opened in.
#[derive(Debug)]
pub(crate) struct Socket {
    wire: Wire,
    sequence: u32,
    /// Memory for answers, which is kept, because giving it back and asking for it anew takes longer than most questions.
    buffer: Vec<u8>,
}

/// A message that answers a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    /// Its type.
    pub(crate) kind: u16,
    /// The family in its `nfgenmsg`.
    pub(crate) family: u8,
    /// What follows that.
    pub(crate) attributes: Attributes<'a>,
}

impl<'a> Answer<'a> {
    /// Any message, whose `nfgenmsg` may be missing.
    pub(crate) fn of(message: Message<'a>) -> Answer<'a> {
        let family = message.body.first().copied().unwrap_or(0);
        Answer { kind: message.kind, family, attributes: Attributes(message.body.get(4..).unwrap_or_default()) }
    }
}

impl Socket {
    /// Opens one in the network namespace of this thread.
    ///
    /// # Errors
    /// `Unsupported` for a kernel without nfnetlink.
    pub(crate) fn open() -> Result<Socket> {
        let wire = Wire::open(Some(netlink::NETFILTER)).map_err(|error| match error.errno() {
            Some(Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT) => {
                Error::new(ErrorKind::Unsupported, "this kernel has no nfnetlink")
                    .with_hint("load the module nfnetlink")
            }
            _ => error,
        })?;
        Ok(Socket { wire, sequence: 0, buffer: Vec::new() })
    }

    /// Carries out a batch: all of it, or nothing.
    ///
    /// The kernel works within the call that sends, so its answers are there when that returns; there are none if it
    /// did what it was told. So nothing has to be acknowledged, and nothing that is lost would be missed.
    ///
    /// # Errors
    /// `System` with the kernel's number and the first thing it did not take.
    pub(crate) fn commit(&mut self, batch: &Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let messages = batch.finished().ok_or_else(|| Error::invalid("nftables: one change is longer than 64 KB"))?;
        if messages.len() > SEND {
            self.let_send(messages.len())?;
        }
        let failed = |errno| Error::system(format!("nftables: sending {} bytes", messages.len()), errno);
        self.wire.send(&messages).map_err(failed)?;
        let mut first: Option<(u32, Errno)> = None;
        let mut buffer = std::mem::take(&mut self.buffer);
        loop {
            match self.wire.receive(&mut buffer) {
                Ok(()) => {
                    let errors = Messages(&buffer).filter(|message| message.kind == ERROR);
                    let mut refused = errors.filter_map(|error| Some((error.sequence, error.refusal()?.0)));
                    first = first.or_else(|| refused.next());
                }
                Err(Errno::AGAIN) => break,
                // So many errors that not all could be kept: the first ones were.
                Err(Errno::NOBUFS) => {
                    first.get_or_insert((0, Errno::NOBUFS));
                }
                Err(errno) => return Err(Error::system("recvmsg(netlink)", errno)),
            }
        }
        self.buffer = buffer;
        first.map_or(Ok(()), |(sequence, errno)| Err(refused(batch, sequence, errno)))
    }

    /// The number that the kernel counts up with every batch.
    pub(crate) fn generation(&mut self) -> Result<u32> {
        let mut found = None;
        self.request(
            message::GET_GENERATION,
            0,
            |_| (),
            |answer| {
                if answer.kind == message::NEW_GENERATION {
                    found = answer.attributes.be32(generation::ID);
                }
            },
        )
        .map_err(|errno| Error::system("nftables: generation", errno))?;
        found.ok_or_else(|| Error::system("nftables: generation", Errno::PROTO))
    }

    /// Asks for all of something. `take` gets each answer; what it adds to is a `new` one whenever all starts anew, because the
    /// ruleset has changed meanwhile.
    pub(super) fn dump<T>(
        &mut self,
        kind: u16,
        family: u8,
        fill: impl Fn(&mut Writer),
        take: impl Fn(&mut T, Answer<'_>),
        new: impl Fn() -> T,
    ) -> std::result::Result<T, Errno> {
        for _ in 0..TRIES {
            let mut all = new();
            let mut interrupted = false;
            let answer = self.ask(kind, DUMP, family, &fill, |message| {
                interrupted |= message.is_interrupted();
                take(&mut all, Answer::of(message));
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
        family: u8,
        fill: impl FnOnce(&mut Writer),
        mut take: impl FnMut(Answer<'_>),
    ) -> std::result::Result<(), Errno> {
        self.ask(kind, ACK, family, fill, |message| take(Answer::of(message)))
    }

    /// The same. A list ends with a message of its own; anything else with the acknowledgement.
    fn ask(
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
        let start = writer.begin(kind, REQUEST | flags, sequence, &encode::header(family, 0));
        fill(&mut writer);
        writer.end(start);
        if writer.overflow() {
            return Err(Errno::MSGSIZE);
        }
        self.wire.send(writer.bytes())?;
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
            self.wire.receive(buffer)?;
            for answer in Messages(buffer).filter(|answer| answer.sequence == sequence) {
                match answer.kind {
                    ERROR | DONE => return answer.refusal().map_or(Ok(()), |(errno, _)| Err(errno)),
                    _ => take(answer),
                }
            }
        }
    }

    /// One datagram has to fit into the socket's buffer. Beyond the limit of all only who may administer the network.
    fn let_send(&self, length: usize) -> Result<()> {
        sockopt::set_socket_send_buffer_size_force(&self.wire, length)
            .or_else(|_| sockopt::set_socket_send_buffer_size(&self.wire, length))
            .map_err(|errno| Error::system(format!("nftables: a buffer of {length} bytes"), errno))
    }
}

fn refused(batch: &Batch, sequence: u32, errno: Errno) -> Error {
    let error = Error::system(format!("nftables: {}", batch.subject(sequence).unwrap_or("batch")), errno);
    match errno {
        Errno::PERM => error.with_hint("only root, or who has CAP_NET_ADMIN, may change the firewall"),
        Errno::OPNOTSUPP => error
            .with_hint("the kernel lacks part of nftables: modules nf_tables, nft_chain_nat, nft_fib_inet, nft_masq"),
        _ => error,
    }
}
