//! Datagrams that are passed on: what one client sends to a port of the host goes to a container from a socket of its own,
//! and what comes back there goes to the client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, connect, send, socket_with};
use sys::datagram::Local;

use super::Token;
use super::bind::affordable;
use crate::watch::{Watch, When};

/// How long nothing passes until a client is forgotten, as Docker has it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Most clients. When there is another one, the one that has been quiet longest is forgotten.
const MOST: usize = 1024;

/// Whom datagrams are from, and where to: the place of the service, the client, and the host's address.
pub(super) type Way = (u64, SocketAddr, Option<Local>);

/// A client.
#[derive(Debug)]
struct Flow {
    way: Way,
    socket: OwnedFd,
    used: Instant,
}

/// All clients, by their numbers, and the numbers by their ways.
#[derive(Debug, Default)]
pub(super) struct Flows {
    all: BTreeMap<u64, Flow>,
    numbers: BTreeMap<Way, u64>,
    next: u64,
    /// When it is looked who has been quiet for too long.
    look_at: Option<Instant>,
}

impl Flows {
    /// Passes on what a client sent. What cannot be passed on is lost, as datagrams are.
    pub(super) fn pass_on(&mut self, watch: &Watch, way: Way, target: SocketAddr, bytes: &[u8]) {
        let number = match self.numbers.get(&way) {
            Some(number) => *number,
            None => match self.add(watch, way, target) {
                Ok(number) => number,
                Err(_) => return,
            },
        };
        let Some(flow) = self.all.get_mut(&number) else { return };
        flow.used = Instant::now();
        // That the container refused the one before is told to this one, which was not sent then.
        if let Err(Errno::CONNREFUSED) = send(&flow.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            send(&flow.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).ok();
        }
    }

    fn add(&mut self, watch: &Watch, way: Way, target: SocketAddr) -> Result<u64, Errno> {
        if self.all.len() >= MOST || !affordable(self.all.len() + 1) {
            self.forget_quietest();
        }
        let socket = connection(target)?;
        let number = self.next;
        self.next += 1;
        watch.add(&socket, Token::Flow(number).number(), When::Readable)?;
        let used = Instant::now();
        self.all.insert(number, Flow { way, socket, used });
        self.numbers.insert(way, number);
        self.look_at.get_or_insert(used + PATIENCE);
        Ok(number)
    }

    fn forget_quietest(&mut self) {
        let quietest = self.all.iter().min_by_key(|(_, flow)| flow.used).map(|(number, _)| *number);
        if let Some(flow) = quietest.and_then(|number| self.all.remove(&number)) {
            self.numbers.remove(&flow.way);
        }
    }

    /// Where the container answers a client, and who that is.
    pub(super) fn answering(&mut self, number: u64) -> Option<(BorrowedFd<'_>, Way)> {
        let flow = self.all.get_mut(&number)?;
        flow.used = Instant::now();
        Some((flow.socket.as_fd(), flow.way))
    }

    /// When [`Flows::due`] has to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// Forgets clients that have been quiet for too long.
    pub(super) fn due(&mut self, now: Instant) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.all.retain(|_, flow| {
            let stays = flow.used + PATIENCE > now;
            if !stays {
                self.numbers.remove(&flow.way);
            }
            stays
        });
        self.look_at = self.all.values().map(|flow| flow.used + PATIENCE).min();
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }
}

fn connection(target: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    connect(&socket, &target)?;
    Ok(socket)
}
