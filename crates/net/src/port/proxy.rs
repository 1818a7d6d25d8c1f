//! Passing on what comes to ports of the host and is not translated by the kernel: owns the sockets and everything that is
//! under way.
//!
//! The kernel leads packets to containers without us, but two: those to `::1`, which it never sends out by another link, and
//! those of IPv6 to a container that has none. Both are passed on here, from the host's address.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketFlags, accept_with, getsockname, listen, recv, sockopt};

use super::Token;
use super::bind::affordable;
use super::flow::Flows;
use super::pipes::Pipes;
use super::relay::Relay;
use crate::watch::{Watch, When};
use crate::{Error, ErrorKind, Protocol, Result};

/// How many connections wait to be accepted (`net.core.somaxconn` if that is less).
const BACKLOG: i32 = 4096;

/// Most connections at a time. Others wait until one of them ends.
const MOST_RELAYS: usize = 4096;

/// How many connections or datagrams are taken before other things have their turn.
const AT_ONCE: usize = 64;

/// Longest datagram.
const MOST_DATAGRAM: usize = 65536;

/// How long nobody is accepted when there are no descriptors left, unless a connection ends.
const NO_DESCRIPTORS: Duration = Duration::from_secs(1);

/// Passes on connections and datagrams to a container.
///
/// It is watched by its descriptor ([`AsFd`]): when that is readable, [`Proxy::ready`] is to be called, and [`Proxy::due`] at
/// [`Proxy::deadline`]. Neither blocks, and no connection keeps the caller for long.
#[derive(Debug)]
pub struct Proxy {
    watch: Watch,
    services: Vec<Service>,
    relays: BTreeMap<u64, Relay>,
    next: u64,
    pipes: Pipes,
    flows: Flows,
    /// Since there was no room, nobody is accepted until then, or until a connection ends.
    accept_at: Option<Instant>,
}

/// A port that is served.
#[derive(Debug)]
struct Service {
    socket: OwnedFd,
    protocol: Protocol,
    target: SocketAddr,
}

impl Proxy {
    /// One that serves nothing yet.
    ///
    /// # Errors
    /// Those of `epoll_create(2)`.
    pub fn new() -> Result<Proxy> {
        Ok(Proxy {
            watch: Watch::new().map_err(|errno| Error::system("proxy of ports", errno))?,
            services: Vec::new(),
            relays: BTreeMap::new(),
            next: 0,
            pipes: Pipes::default(),
            flows: Flows::default(),
            accept_at: None,
        })
    }

    /// Serves a port, held by the socket of a [`super::Reservation`]: what comes there goes to `target`, which is asked from
    /// the network namespace that the caller is in. A socket of both families serves both.
    ///
    /// # Errors
    /// `Unsupported` for SCTP, `Conflict` if somebody listens at the port nevertheless.
    pub fn serve(&mut self, socket: BorrowedFd<'_>, protocol: Protocol, target: SocketAddr) -> Result<()> {
        let failed = |errno| Error::system(format!("passing on to {target}/{protocol}"), errno);
        match protocol {
            Protocol::Tcp => {
                // Connections have this from the socket. Without it, those that the container ends first would be in the way
                // of whoever holds the port next, for a minute. As long as somebody listens, it lets nobody else have the port.
                sockopt::set_socket_reuseaddr(socket, true).map_err(failed)?;
                listen(socket, BACKLOG).map_err(failed)?;
            }
            Protocol::Udp => take_datagrams(socket).map_err(failed)?,
            Protocol::Sctp => {
                let message = format!("{target}/sctp: only the kernel passes on SCTP");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
        let socket = socket.try_clone_to_owned().map_err(|error| Error::io(target, &error))?;
        let token = Token::Service(self.services.len() as u64);
        self.watch.add(&socket, token.number(), When::Readable).map_err(failed)?;
        self.services.push(Service { socket, protocol, target });
        Ok(())
    }

    /// Does what can be done now.
    pub fn ready(&mut self) {
        // Memory that is written to only as far as datagrams are long.
        let mut buffer = Vec::new();
        for (token, failed) in self.watch.ready() {
            match Token::from_number(token) {
                Token::Service(place) => self.service(place, &mut buffer),
                Token::Relay(number) => self.relay(number, failed),
                Token::Flow(number) => self.answers(number, &mut buffer),
            }
        }
    }

    /// When [`Proxy::due`] has to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.accept_at.into_iter().chain(self.flows.deadline()).min()
    }

    /// Sees to what has waited for too long.
    pub fn due(&mut self, now: Instant) {
        self.flows.due(now);
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept_again();
        }
    }

    fn service(&mut self, place: u64, buffer: &mut Vec<u8>) {
        let Some(service) = usize::try_from(place).ok().and_then(|place| self.services.get(place)) else { return };
        if service.protocol == Protocol::Tcp {
            return self.connections(place);
        }
        buffer.reserve(MOST_DATAGRAM);
        for _ in 0..AT_ONCE {
            match sys::datagram::receive(service.socket.as_fd(), buffer) {
                Ok((client, local)) => {
                    self.flows.pass_on(&self.watch, (place, client, local), service.target, buffer);
                }
                Err(Errno::AGAIN) => return,
                Err(_) => {}
            }
        }
    }

    fn connections(&mut self, place: u64) {
        for _ in 0..AT_ONCE {
            let Some(service) = usize::try_from(place).ok().and_then(|place| self.services.get(place)) else { return };
            let descriptors = Relay::DESCRIPTORS * (self.relays.len() + 1);
            if self.relays.len() >= MOST_RELAYS || !affordable(descriptors) {
                return self.accept_later();
            }
            let client = match accept_with(&service.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(client) => client,
                Err(Errno::AGAIN) => return,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => return self.accept_later(),
                // What was wrong with one connection says nothing about the next one (`accept(2)`).
                Err(_) => continue,
            };
            let number = self.next;
            self.next += 1;
            if let Ok(relay) = Relay::new(client, service.target, &self.watch, number) {
                self.relays.insert(number, relay);
            }
        }
    }

    fn relay(&mut self, number: u64, failed: bool) {
        let Some(relay) = self.relays.remove(&number) else { return };
        match relay.go_on(&mut self.pipes, &self.watch, number, failed) {
            Some(relay) => {
                self.relays.insert(number, relay);
            }
            None if self.accept_at.is_some() => self.accept_again(),
            None => {}
        }
    }

    /// Passes on what the container answers to a client.
    fn answers(&mut self, number: u64, buffer: &mut Vec<u8>) {
        let Some((socket, (place, client, local))) = self.flows.answering(number) else { return };
        let Some(service) = usize::try_from(place).ok().and_then(|place| self.services.get(place)) else { return };
        buffer.reserve(MOST_DATAGRAM);
        for _ in 0..AT_ONCE {
            buffer.clear();
            match recv(socket, spare_capacity(buffer), RecvFlags::DONTWAIT) {
                Ok(_) => drop(sys::datagram::send(service.socket.as_fd(), buffer, client, local)),
                Err(Errno::AGAIN) => return,
                // Among them that the container refuses: the client learns as much by getting no answer.
                Err(_) => {}
            }
        }
    }

    fn accept_later(&mut self) {
        self.accept_at = Some(Instant::now() + NO_DESCRIPTORS);
        for service in self.services.iter().filter(|service| service.protocol == Protocol::Tcp) {
            self.watch.forget(&service.socket);
        }
    }

    fn accept_again(&mut self) {
        self.accept_at = None;
        for (place, service) in (0..).zip(&self.services).filter(|(_, service)| service.protocol == Protocol::Tcp) {
            self.watch.add(&service.socket, Token::Service(place).number(), When::Readable).ok();
        }
    }

    /// How many connections and clients there are.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.relays.len(), self.flows.count())
    }
}

impl AsFd for Proxy {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}

impl Drop for Proxy {
    /// The sockets are those of a reservation as well, which stay: nobody listens at them any more.
    fn drop(&mut self) {
        for service in &self.services {
            match service.protocol {
                Protocol::Tcp => rustix::net::shutdown(&service.socket, rustix::net::Shutdown::Read)
                    .and_then(|()| sockopt::set_socket_reuseaddr(&service.socket, false))
                    .ok(),
                _ => sys::socket::discard(service.socket.as_fd()).ok(),
            };
        }
    }
}

/// Lets a socket that holds a port take what comes there, and tell where it was sent to.
fn take_datagrams(socket: BorrowedFd<'_>) -> std::result::Result<(), Errno> {
    let is_ipv6 = std::net::SocketAddr::try_from(getsockname(socket)?).is_ok_and(|address| address.is_ipv6());
    sys::datagram::tell_destination(socket, is_ipv6)?;
    match sys::socket::keep(socket) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}
