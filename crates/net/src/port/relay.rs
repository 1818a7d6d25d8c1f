//! One connection of TCP that is passed on: from a client to a port of the host, and from there to a container.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, connect, getpeername, shutdown, socket_with, sockopt,
};

use super::Token;
use super::pipes::{Pipe, Pipes};
use crate::watch::{Watch, When};

/// How often bytes are taken from one end before other connections have their turn.
const TURN: u32 = 8;

/// A connection of a client and one to a container, each of which gets what the other sends.
#[derive(Debug)]
pub(super) struct Relay {
    client: OwnedFd,
    container: OwnedFd,
    /// From the client to the container.
    up: Direction,
    /// And back.
    down: Direction,
}

/// What goes one way.
#[derive(Debug, Default)]
struct Direction {
    /// What was taken and not yet given.
    pipe: Option<Pipe>,
    /// Whether there will be no more to take.
    ended: bool,
    /// Whether that was said to the other end.
    told: bool,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing can be done until an end is ready.
    Waits,
    /// There is more to be done, after others.
    Goes,
    /// Both ends have said everything.
    Over,
}

impl Relay {
    /// How many descriptors one takes at most: a socket to each end, and a pipe of two for each way that has bytes in it.
    pub(super) const DESCRIPTORS: usize = 2 + 2 * 2;

    /// Begins to connect a client to a container. That it refuses is seen later.
    ///
    /// # Errors
    /// Those of `socket(2)` and `connect(2)`; the client is reset.
    pub(super) fn new(client: OwnedFd, target: SocketAddr, watch: &Watch, number: u64) -> Result<Relay, Errno> {
        let relay = connection(target).and_then(|container| {
            // Both send small pieces as they get them; who goes away without a word is found out in the end.
            sockopt::set_tcp_nodelay(&client, true)?;
            sockopt::set_tcp_nodelay(&container, true)?;
            sockopt::set_socket_keepalive(&client, true)?;
            watch.add(&client, Token::Relay(number).number(), When::Changed)?;
            watch.add(&container, Token::Relay(number).number(), When::Changed)?;
            Ok(container)
        });
        match relay {
            Ok(container) => Ok(Relay { client, container, up: Direction::default(), down: Direction::default() }),
            Err(errno) => {
                reset(&client);
                Err(errno)
            }
        }
    }

    /// Passes on what there is. Where an end has failed, the other one is reset, as it would be if nobody were between them.
    pub(super) fn go_on(mut self, pipes: &mut Pipes, watch: &Watch, number: u64, failed: bool) -> Option<Relay> {
        let up = self.up.go_on(&self.client, &self.container, pipes);
        let down = self.down.go_on(&self.container, &self.client, pipes);
        match (up, down) {
            (Ok(Progress::Over), Ok(Progress::Over)) => return None,
            (Ok(_), Ok(_)) if failed => {}
            (Ok(up), Ok(down)) => {
                if up == Progress::Goes || down == Progress::Goes {
                    watch.again(&self.client, Token::Relay(number).number(), When::Changed).ok();
                    watch.again(&self.container, Token::Relay(number).number(), When::Changed).ok();
                }
                return Some(self);
            }
            _ => {}
        }
        reset(&self.client);
        reset(&self.container);
        None
    }
}

impl Direction {
    fn go_on(&mut self, from: &OwnedFd, to: &OwnedFd, pipes: &mut Pipes) -> Result<Progress, Errno> {
        match self.pass_on(from, to, pipes) {
            Err(Errno::AGAIN) => Ok(Progress::Waits),
            other => other,
        }
    }

    fn pass_on(&mut self, from: &OwnedFd, to: &OwnedFd, pipes: &mut Pipes) -> Result<Progress, Errno> {
        for _ in 0..TURN {
            if let Some(pipe) = &mut self.pipe {
                if pipe.drain(to)? {
                    pipes.put(self.pipe.take());
                }
                continue;
            }
            if self.ended {
                return self.tell_end(to);
            }
            let mut pipe = pipes.take()?;
            match pipe.fill(from) {
                Ok(0) => {
                    self.ended = true;
                    pipes.put(Some(pipe));
                }
                Ok(_) => self.pipe = Some(pipe),
                Err(errno) => {
                    pipes.put(Some(pipe));
                    return Err(errno);
                }
            }
        }
        Ok(Progress::Goes)
    }

    /// Tells the other end that nothing follows.
    fn tell_end(&mut self, to: &OwnedFd) -> Result<Progress, Errno> {
        if !self.told {
            // To say so before the connection is there would be to give it up.
            if getpeername(to) == Err(Errno::NOTCONN) {
                return Ok(Progress::Waits);
            }
            shutdown(to, Shutdown::Write)?;
            self.told = true;
        }
        Ok(Progress::Over)
    }
}

fn connection(target: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match connect(&socket, &target) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// Lets the peer see a reset when the connection is closed.
pub(super) fn reset(socket: &OwnedFd) {
    sockopt::set_socket_linger(socket, Some(Duration::ZERO)).ok();
}
