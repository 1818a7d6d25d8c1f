//! Writing without ever waiting, to descriptors that are shared with others and therefore stay in blocking mode.
//!
//! `O_NONBLOCK` belongs to the open file, which a shell and its other programs use as well: setting it would break
//! them. Each kind of file has another way instead.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, ReadWriteFlags, pwritev2, write};
use rustix::net::{SendFlags, send};
use rustix::termios::isatty;

/// What a terminal takes at once; it says by `poll` only that it takes something.
const TERMINAL_PIECE: usize = 4096;

/// How a file is written without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `RWF_NOWAIT`: pipes.
    Pipe,
    /// `MSG_DONTWAIT`.
    Socket,
    /// `poll` first, then a little.
    Terminal,
    /// Never waits for another process: regular files, /dev/null.
    File,
}

/// What is still to be written to one descriptor.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    way: Option<Way>,
    pending: Vec<u8>,
    written: usize,
}

impl Outlet {
    /// Writes what the file takes now and keeps the rest for [`Outlet::flush`].
    pub(super) fn write(&mut self, to: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
        let taken = if self.is_pending() { 0 } else { self.write_now(to, bytes)? };
        self.pending.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Goes on with what was kept, once `poll` says that there is room.
    pub(super) fn flush(&mut self, to: BorrowedFd<'_>) -> Result<(), Errno> {
        let pending = std::mem::take(&mut self.pending);
        let taken = self.write_now(to, &pending[self.written..]);
        self.pending = pending;
        self.written += taken?;
        if self.written == self.pending.len() {
            self.forget();
        }
        Ok(())
    }

    /// Whether something waits for room: its source should not be read meanwhile.
    pub(super) fn is_pending(&self) -> bool {
        self.written < self.pending.len()
    }

    /// Drops what waits: nobody will read it.
    pub(super) fn forget(&mut self) {
        self.pending.clear();
        self.written = 0;
    }

    fn write_now(&mut self, to: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.write_once(to, &bytes[taken..]) {
                Ok(count) => taken += count,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(taken)
    }

    fn write_once(&mut self, to: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        match *self.way.get_or_insert_with(|| way_of(to)) {
            Way::File => write(to, bytes),
            Way::Socket => send(to, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Way::Terminal => {
                wait_for_room(to)?;
                write(to, &bytes[..bytes.len().min(TERMINAL_PIECE)])
            }
            Way::Pipe => {
                let current_position = u64::MAX;
                match pwritev2(to, &[std::io::IoSlice::new(bytes)], current_position, ReadWriteFlags::NOWAIT) {
                    // Before Linux 5.18 or so pipes did not know the flag.
                    Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::SPIPE) => {
                        self.way = Some(Way::Terminal);
                        self.write_once(to, bytes)
                    }
                    result => result,
                }
            }
        }
    }
}

fn way_of(file: BorrowedFd<'_>) -> Way {
    match fstat(file).map(|status| FileType::from_raw_mode(status.st_mode)) {
        Ok(FileType::Fifo) => Way::Pipe,
        Ok(FileType::Socket) => Way::Socket,
        Ok(FileType::CharacterDevice) if isatty(file) => Way::Terminal,
        _ => Way::File,
    }
}

/// `EAGAIN` when there is no room now.
fn wait_for_room(file: BorrowedFd<'_>) -> Result<(), Errno> {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut [PollFd::from_borrowed_fd(file, PollFlags::OUT)], Some(&at_once))? {
        0 => Err(Errno::AGAIN),
        _ => Ok(()),
    }
}
