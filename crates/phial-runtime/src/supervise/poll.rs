//! Waiting for whatever happens next (`epoll(7)`).

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

/// Everything that can happen to a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A signal is pending: a child has ended, or somebody wants the container to.
    Signal,
    /// Somebody connects.
    Connection,
    /// The container wrote to stdout or its terminal, or closed it.
    Stdout,
    /// The same of stderr.
    Stderr,
    /// The container's stdin takes bytes again.
    StdinReady,
    /// The process that writes the log takes bytes again.
    LogReady,
    /// A health check wrote something, or is at its end.
    Check,
    /// The container's memory is at its limit.
    Oom,
    /// Somebody asks for a name, or comes to a port that the kernel does not pass on.
    Network,
    /// A client sent something, takes bytes again, or is gone.
    Client(u64),
    /// A further process wrote to its terminal, whose client of this number is gone.
    Abandoned(u64),
}

/// Clients' numbers follow those of the other events, the even ones for clients, the odd ones for what they left.
const FIRST_CLIENT: u64 = 10;

impl Event {
    fn number(self) -> u64 {
        match self {
            Event::Signal => 0,
            Event::Connection => 1,
            Event::Stdout => 2,
            Event::Stderr => 3,
            Event::StdinReady => 4,
            Event::LogReady => 5,
            Event::Check => 6,
            Event::Oom => 7,
            Event::Network => 8,
            Event::Client(number) => FIRST_CLIENT + 2 * number,
            Event::Abandoned(number) => FIRST_CLIENT + 2 * number + 1,
        }
    }

    fn from_number(number: u64) -> Event {
        match number {
            0 => Event::Signal,
            1 => Event::Connection,
            2 => Event::Stdout,
            3 => Event::Stderr,
            4 => Event::StdinReady,
            5 => Event::LogReady,
            6 => Event::Check,
            7 => Event::Oom,
            8 => Event::Network,
            number if number % 2 == 0 => Event::Client((number - FIRST_CLIENT) / 2),
            number => Event::Abandoned((number - FIRST_CLIENT) / 2),
        }
    }
}

/// What a descriptor is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interest {
    pub(super) read: bool,
    pub(super) write: bool,
}

impl Interest {
    pub(super) const READ: Interest = Interest { read: true, write: false };
    pub(super) const WRITE: Interest = Interest { read: false, write: true };
}

/// How long nothing happens before memory is given back. What comes sooner finds the program where it was.
const BUSY: Duration = Duration::from_secs(1);

/// The descriptors watched.
#[derive(Debug)]
pub(super) struct Poll {
    epoll: OwnedFd,
}

impl Poll {
    pub(super) fn new() -> Result<Poll, Errno> {
        Ok(Poll { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Watches a descriptor, or changes what it is watched for.
    pub(super) fn watch(&self, descriptor: impl AsFd, event: Event, interest: Interest) -> Result<(), Errno> {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, interest.read);
        flags.set(EventFlags::OUT, interest.write);
        let data = EventData::new_u64(event.number());
        match epoll::add(&self.epoll, &descriptor, data, flags) {
            Err(Errno::EXIST) => epoll::modify(&self.epoll, &descriptor, data, flags),
            other => other,
        }
    }

    /// Stops watching. Without this, a closed pipe would be reported even where nothing is asked for.
    pub(super) fn forget(&self, descriptor: impl AsFd) {
        epoll::delete(&self.epoll, descriptor).ok();
    }

    /// Waits for events, until the deadline if there is one. While nothing happens, this process holds little more memory
    /// than it takes to wait.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Result<Vec<Event>, Errno> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if let Some(left) = left.filter(|left| *left <= BUSY) {
            return self.wait_for(Some(left));
        }
        let events = self.wait_for(Some(BUSY))?;
        if !events.is_empty() {
            return Ok(events);
        }
        // Whatever was done last is not needed to wait.
        sys::memory::forget_program();
        self.wait_for(left.map(|left| left.saturating_sub(BUSY)))
    }

    fn wait_for(&self, limit: Option<Duration>) -> Result<Vec<Event>, Errno> {
        const MOST: usize = 16;
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut buffer = [const { std::mem::MaybeUninit::uninit() }; MOST];
        match epoll::wait(&self.epoll, &mut buffer, limit.as_ref()) {
            Ok((events, _)) => Ok(events.iter().map(|event| Event::from_number(event.data.u64())).collect()),
            Err(Errno::INTR) => Ok(Vec::new()),
            Err(errno) => Err(errno),
        }
    }
}
