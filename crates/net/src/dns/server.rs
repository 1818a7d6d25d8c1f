//! The server of one container: owns its sockets and everything that is on its way.

use std::fs::File;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recvfrom};

use super::Token;
use super::answer::Answers;
use super::forward::{Asker, Forward, Replies};
use super::listen::Sockets;
use super::message::{self, Code, MOST_QUERY};
use super::stream::Streams;
use super::upstream::{Homes, Upstream};
use super::zone::Zone;
use crate::watch::{Watch, When};
use crate::{Error, Result};

/// How many questions of one asker are answered before others have their turn.
const AT_ONCE: usize = 64;

/// Whom names are asked that are not those of containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outside {
    /// These, the first one first.
    Servers(Vec<Upstream>),
    /// Nobody: the container is on internal networks only, and nothing may leave it, not even in the name of a question
    /// (CVE-2024-29018). Names that no container has do not exist then: of `SERVFAIL`, which Docker answers, resolvers believe
    /// that it passes, and ask again and again before they say so; at `NXDOMAIN` they go on with their search list at once.
    Closed,
}

/// The name server of one container.
///
/// It is watched by its descriptor ([`AsFd`]): when that is readable, [`Server::ready`] is to be called, and
/// [`Server::due`] at [`Server::deadline`]. Neither blocks, and no asker keeps the caller for long.
///
/// The container's network namespace exists as long as this value: it has to go when the container has ended.
#[derive(Debug)]
pub(crate) struct Server {
    watch: Watch,
    sockets: Sockets,
    answers: Answers,
    /// None if nobody outside is asked.
    forward: Option<Forward>,
    streams: Streams,
    /// Replies of others that are to be passed on.
    replies: Replies,
}

/// What becomes of a message.
enum Outcome {
    /// A reply was written.
    Reply,
    /// There will be one.
    Later,
    /// There is none.
    Nothing,
}

impl Server {
    /// Opens it at [`super::ADDRESS`] in a container's network namespace, for a thread that is in the host's. The names are
    /// those of the registers given; of a name that is on several networks, the first one counts.
    ///
    /// # Errors
    /// `Conflict` if the address is taken in the container; `System` without privileges over its network namespace.
    pub(crate) fn open(container: BorrowedFd<'_>, registers: Vec<PathBuf>, outside: Outside) -> Result<Server> {
        let homes = homes(container)?;
        let sockets = homes.in_container(|network| Ok::<_, Errno>(Sockets::open(network)));
        let sockets = sockets.map_err(|errno| Error::system("network namespace of a container", errno))??;
        Server::with(sockets, registers, outside, homes)
    }

    /// The same where the kernel has no programs.
    #[cfg(test)]
    pub(super) fn open_bound(container: BorrowedFd<'_>, registers: Vec<PathBuf>, outside: Outside) -> Result<Server> {
        let homes = homes(container)?;
        let sockets = homes.in_container(|_| Ok::<_, Errno>(Sockets::bound()));
        Server::with(sockets.expect("it is a namespace")?, registers, outside, homes)
    }

    /// How many questions may be under way to others.
    #[cfg(test)]
    pub(super) fn most_forwarded(&self) -> u64 {
        assert!(self.forward.is_some());
        Forward::most()
    }

    fn with(sockets: Sockets, registers: Vec<PathBuf>, outside: Outside, homes: Homes) -> Result<Server> {
        let failed = |errno| Error::system("name server", errno);
        let watch = Watch::new().map_err(failed)?;
        watch.add(&sockets.udp, Token::Datagrams.number(), When::Readable).map_err(failed)?;
        watch.add(&sockets.tcp, Token::Connections.number(), When::Readable).map_err(failed)?;
        let answers = Answers::new(Zone::new(registers));
        let forward = forward(outside, homes);
        Ok(Server { watch, sockets, answers, forward, streams: Streams::default(), replies: Vec::new() })
    }

    /// Changes which networks' names are answered, and who else is asked. Questions on their way are lost.
    ///
    /// # Errors
    /// Those of opening files of namespaces.
    pub(crate) fn change(
        &mut self,
        container: BorrowedFd<'_>,
        registers: Vec<PathBuf>,
        outside: Outside,
    ) -> Result<()> {
        self.forward = forward(outside, homes(container)?);
        self.answers = Answers::new(Zone::new(registers));
        Ok(())
    }

    /// Does what can be done now.
    pub(crate) fn ready(&mut self) {
        for (token, _) in self.watch.ready() {
            match Token::from_number(token) {
                Token::Datagrams => self.datagrams(),
                Token::Connections => self.connections(),
                Token::Stream(number) => self.stream(number),
                Token::Forwarded(number) => {
                    if let Some(forward) = &mut self.forward {
                        forward.ready(&self.watch, number, &mut self.replies);
                    }
                }
            }
        }
        self.deliver();
    }

    /// When [`Server::due`] has to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.forward.as_ref().and_then(Forward::deadline).into_iter().chain(self.streams.deadline()).min()
    }

    /// Sees to what has waited for too long.
    pub(crate) fn due(&mut self, now: Instant) {
        for number in self.streams.due(now) {
            self.gone(number);
        }
        if let Some(forward) = &mut self.forward {
            forward.due(&self.watch, now, &mut self.replies);
        }
        self.deliver();
    }

    fn datagrams(&mut self) {
        // One byte more than is taken tells what is longer.
        let mut buffer = [const { MaybeUninit::uninit() }; MOST_QUERY + 1];
        let mut reply = Vec::new();
        for _ in 0..AT_ONCE {
            let (bytes, from) = match recvfrom(&self.sockets.udp, &mut buffer, RecvFlags::DONTWAIT) {
                Ok(((bytes, _), _, Some(from))) => (bytes, from),
                Ok(_) | Err(Errno::INTR) => continue,
                Err(_) => return,
            };
            let Some(from) = SocketAddr::try_from(from).ok().and_then(of_ipv4) else { continue };
            if let Outcome::Reply = self.respond(bytes, Asker::Datagram(from), &mut reply) {
                self.sockets.reply(from, &reply);
            }
        }
    }

    fn connections(&mut self) {
        for _ in 0..AT_ONCE {
            let gone = match self.streams.accept(&self.watch, &self.sockets.tcp) {
                Ok(gone) => gone,
                // Without a descriptor for it, the connection would be reported for ever.
                Err(Errno::MFILE | Errno::NFILE) => match self.streams.drop_quietest() {
                    None => return,
                    gone => gone,
                },
                Err(Errno::INTR | Errno::CONNABORTED) => None,
                Err(_) => return,
            };
            if let Some(gone) = gone {
                self.gone(gone);
            }
        }
    }

    /// Answers what a connection asks.
    fn stream(&mut self, number: u64) {
        let Some(mut stream) = self.streams.take(number) else { return };
        let mut reply = Vec::new();
        for _ in 0..AT_ONCE {
            let outcome = match stream.next() {
                Ok(None) => return self.streams.put(number, stream),
                Ok(Some(query)) => self.respond(&query, Asker::Stream(number), &mut reply),
                Err(_) => Outcome::Nothing,
            };
            match outcome {
                Outcome::Reply => stream.reply(&reply),
                Outcome::Later => stream.waits = true,
                Outcome::Nothing => return self.gone(number),
            }
        }
        stream.again(&self.watch, number);
        self.streams.put(number, stream);
    }

    fn respond(&mut self, bytes: &[u8], asker: Asker, reply: &mut Vec<u8>) -> Outcome {
        let query = match message::read(bytes) {
            Ok(query) => query,
            Err(None) => return Outcome::Nothing,
            Err(Some(refusal)) => {
                reply.clear();
                reply.extend_from_slice(&refusal);
                return Outcome::Reply;
            }
        };
        let limit = match asker {
            Asker::Datagram(_) => query.udp_limit(),
            Asker::Stream(_) => usize::from(u16::MAX),
        };
        if self.answers.write(&query, limit, reply) {
            return Outcome::Reply;
        }
        if let Some(forward) = &mut self.forward {
            forward.ask(&self.watch, &query, asker, &mut self.replies);
            return Outcome::Later;
        }
        message::Reply::new(&query, Code::NxDomain, limit, reply).finish();
        Outcome::Reply
    }

    /// Passes on what others replied. A connection is told to go on after others: its next question may have its reply at once.
    fn deliver(&mut self) {
        while let Some((asker, reply)) = self.replies.pop() {
            match asker {
                Asker::Datagram(to) => self.sockets.reply(to, &reply),
                Asker::Stream(number) => {
                    if let Some(mut stream) = self.streams.take(number) {
                        stream.reply(&reply);
                        if stream.send().is_ok() {
                            stream.again(&self.watch, number);
                            self.streams.put(number, stream);
                        } else {
                            self.gone(number);
                        }
                    }
                }
            }
        }
    }

    /// A connection is closed: what it asked is of no use to anybody.
    fn gone(&mut self, number: u64) {
        if let Some(forward) = &mut self.forward {
            forward.forget(Asker::Stream(number));
        }
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}

fn forward(outside: Outside, homes: Homes) -> Option<Forward> {
    match outside {
        Outside::Servers(servers) => Some(Forward::new(servers, homes)),
        Outside::Closed => None,
    }
}

fn homes(container: BorrowedFd<'_>) -> Result<Homes> {
    const OWN: &str = "/proc/thread-self/ns/net";
    let host: OwnedFd = File::open(OWN).map_err(|error| Error::io(OWN, &error))?.into();
    let container = container.try_clone_to_owned().map_err(|error| Error::io("network namespace", &error))?;
    Ok(Homes { host, container })
}

fn of_ipv4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address {
        // There is no such port; who names it is not who asks.
        SocketAddr::V4(address) if address.port() != 0 => Some(address),
        _ => None,
    }
}
