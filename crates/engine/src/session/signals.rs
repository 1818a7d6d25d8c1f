//! The signals that a foreground command takes for its container instead of for itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::Signal;
use sys::signal::{Set, take};

/// Signals that stay with this process: the kernel's own answers to a bug here, job control (a stopped command leaves
/// its container running), and those that are about this process's children, pipes and sockets.
const OWN: [Signal; 14] = [
    Signal::ABORT,
    Signal::BUS,
    Signal::CHILD,
    Signal::FPE,
    Signal::ILL,
    Signal::PIPE,
    Signal::SEGV,
    Signal::STOP,
    Signal::SYS,
    Signal::TRAP,
    Signal::TSTP,
    Signal::TTIN,
    Signal::TTOU,
    Signal::URG,
];

/// While this lives, signals wait here instead of ending the process.
///
/// Make it before the container is started: a Ctrl-C in between is then not lost, but forwarded.
#[derive(Debug)]
pub struct Signals {
    before: Set,
    descriptor: OwnedFd,
}

impl Signals {
    /// Holds every signal back that can be forwarded.
    ///
    /// # Errors
    /// Those of `signalfd(2)`.
    pub fn hold() -> std::io::Result<Signals> {
        let set = OWN.iter().fold(Set::full(), |set, signal| set.without(signal.as_raw()));
        let descriptor = set.descriptor()?;
        Ok(Signals { before: set.block(), descriptor })
    }

    /// Holds back only what tells of this side's terminal: all others end this process, and the container goes on
    /// (`--sig-proxy=false`).
    ///
    /// # Errors
    /// Those of `signalfd(2)`.
    pub fn hold_of_terminal() -> std::io::Result<Signals> {
        let set = Set::empty().with(Signal::WINCH.as_raw()).with(Signal::CONT.as_raw());
        let descriptor = set.descriptor()?;
        Ok(Signals { before: set.block(), descriptor })
    }

    /// The next signal that has come, if one has.
    pub(super) fn take(&self) -> Option<i32> {
        take(&self.descriptor)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Signals {
    /// What still waits was meant for the container, which has ended: it is forgotten.
    fn drop(&mut self) {
        while take(&self.descriptor).is_some() {}
        self.before.block();
    }
}
