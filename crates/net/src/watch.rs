//! Everything that a component waits for, behind one descriptor: an epoll instance is itself readable when one of its
//! descriptors is ready (`epoll(7)`), so that an event loop watches one descriptor per component.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

/// How many are reported at once. The loop of the caller comes to the others after its other events.
const MOST: usize = 64;

/// What is watched.
#[derive(Debug)]
pub(crate) struct Watch {
    epoll: OwnedFd,
}

/// When something is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// As long as there is something to read.
    Readable,
    /// When there is more to read, or more room to write, than there was: whoever is told goes on until nothing is left,
    /// or asks to be told again.
    Changed,
}

impl When {
    fn flags(self) -> EventFlags {
        match self {
            When::Readable => EventFlags::IN,
            When::Changed => EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET,
        }
    }
}

impl Watch {
    /// Of nothing yet.
    pub(crate) fn new() -> Result<Watch, Errno> {
        Ok(Watch { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Adds a descriptor, which is reported as `token`.
    pub(crate) fn add(&self, descriptor: impl AsFd, token: u64, when: When) -> Result<(), Errno> {
        epoll::add(&self.epoll, descriptor, EventData::new_u64(token), when.flags())
    }

    /// Reports a descriptor again if it is still ready, after others that are.
    pub(crate) fn again(&self, descriptor: impl AsFd, token: u64, when: When) -> Result<(), Errno> {
        epoll::modify(&self.epoll, descriptor, EventData::new_u64(token), when.flags())
    }

    /// Stops reporting a descriptor. One that is closed stops by itself, unless another process has a copy of it.
    pub(crate) fn forget(&self, descriptor: impl AsFd) {
        epoll::delete(&self.epoll, descriptor).ok();
    }

    /// What is ready now: tokens, and whether the descriptor has failed.
    pub(crate) fn ready(&self) -> Vec<(u64, bool)> {
        let mut buffer = [const { MaybeUninit::uninit() }; MOST];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut buffer, Some(&now)) else { return Vec::new() };
        let told = |event: &epoll::Event| {
            // The kernel's structure has no padding, so that its fields cannot be referred to.
            let flags = event.flags;
            (event.data.u64(), flags.contains(EventFlags::ERR))
        };
        events.iter().map(told).collect()
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
