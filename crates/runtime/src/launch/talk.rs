//! What the two halves of a launch say to one another: single bytes, some with a descriptor. A failed step is longer
//! (`failure::Report`).
//!
//! The child's functions allocate nothing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

/// What the child wants, or has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Question {
    /// Its user namespace has no maps yet. Answered.
    Maps = b'm',
    /// Its time namespace has no offsets yet. Answered.
    Clocks = b'c',
    /// Network devices of the host are to be its. Answered.
    Devices = b'd',
    /// It ends, and another process goes on: its pid follows, its pidfd comes along. That other one is answered.
    Reborn = b'n',
    /// It is time for the hooks of the host. Answered.
    Hooks = b'h',
    /// Its network may not be attached yet. Answered.
    Network = b'w',
    /// The master of its terminal comes along.
    Terminal = b't',
    /// The listener of its filter comes along.
    Listener = b'l',
    /// All is ready; the start is awaited. Answered where the parent gives it ([`answer`]), not where a gate does.
    Ready = b'r',
}

/// The parent's answer. If it gives up it closes the connection instead.
pub(super) const GO: &[u8] = b"g";

impl Question {
    pub(super) fn from_byte(byte: u8) -> Option<Question> {
        let all = [
            Question::Maps,
            Question::Clocks,
            Question::Devices,
            Question::Reborn,
            Question::Hooks,
            Question::Network,
            Question::Terminal,
            Question::Listener,
            Question::Ready,
        ];
        all.into_iter().find(|question| *question as u8 == byte)
    }
}

/// Says something to the parent.
pub(super) fn tell(parent: BorrowedFd<'_>, question: Question) -> rustix::io::Result<()> {
    sys::fdpass::send(parent, &[question as u8], &[]).map(drop)
}

/// Says something to the parent, with a descriptor.
pub(super) fn hand_over(parent: BorrowedFd<'_>, question: Question, fd: BorrowedFd<'_>) -> rustix::io::Result<()> {
    sys::fdpass::send(parent, &[question as u8], &[fd]).map(drop)
}

/// Asks the parent for something, and waits until it is done.
pub(super) fn ask(parent: BorrowedFd<'_>, question: Question) -> rustix::io::Result<()> {
    tell(parent, question)?;
    await_answer(parent)
}

/// Tells the parent of the process that goes on.
pub(super) fn introduce(parent: BorrowedFd<'_>, pid: Pid, pidfd: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let [a, b, c, d] = pid.as_raw_nonzero().get().to_le_bytes();
    sys::fdpass::send(parent, &[Question::Reborn as u8, a, b, c, d], &[pidfd]).map(drop)
}

/// Parent: the pid of the process that goes on.
pub(super) fn introduced(message: &[u8]) -> Option<Pid> {
    let bytes = message.get(1..)?.first_chunk::<4>()?;
    Pid::from_raw(i32::from_le_bytes(*bytes))
}

/// Waits until the parent has done what it was asked for.
pub(super) fn await_answer(parent: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let mut answer = [0; 1];
    loop {
        match rustix::io::read(parent, &mut answer) {
            // The parent has given up, and says why itself.
            Ok(0) => return Err(Errno::CANCELED),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Waits for a byte from the gate. It is open for writing here too, so that who starts never meets one without a reader.
pub(super) fn await_start(gate: BorrowedFd<'_>) -> rustix::io::Result<()> {
    loop {
        match rustix::io::read(gate, &mut [0; 1]) {
            Err(Errno::INTR) => {}
            other => return other.map(drop),
        }
    }
}

/// Parent: hears the next thing; None when the child is gone or has become its program.
pub(super) fn hear(child: &OwnedFd, buffer: &mut [u8]) -> rustix::io::Result<(usize, Option<OwnedFd>)> {
    loop {
        match sys::fdpass::receive(child, buffer) {
            Ok((count, mut descriptors)) => return Ok((count, descriptors.pop())),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Parent: what the child asked for is done.
pub(super) fn answer(child: &OwnedFd) -> rustix::io::Result<()> {
    sys::fdpass::send(child.as_fd(), GO, &[]).map(drop)
}
