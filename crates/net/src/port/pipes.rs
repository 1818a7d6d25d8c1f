//! Pipes through which bytes go from one socket to another without being copied (`splice(2)`). A connection needs one only
//! while bytes are on their way, so a few serve many.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// How large pipes are, and most bytes that are taken at once. With the kernel's 64 KiB, 0.6 GB/s were passed on where this
/// gives 1.1; four times as much gives no more. It is also what a connection holds at most whose peer takes nothing.
const CAPACITY: usize = 256 << 10;

/// How many empty pipes are kept.
const MOST_SPARE: usize = 2;

/// Empty pipes.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    spare: Vec<Pipe>,
}

/// A pipe, and how many bytes are in it.
#[derive(Debug)]
pub(super) struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    held: usize,
}

impl Pipes {
    pub(super) fn take(&mut self) -> Result<Pipe, Errno> {
        if let Some(pipe) = self.spare.pop() {
            return Ok(pipe);
        }
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Where a user has too many pages in pipes (`pipe(7)`), it has the size that it gets.
        fcntl_setpipe_size(&writer, CAPACITY).ok();
        Ok(Pipe { reader, writer, held: 0 })
    }

    /// Takes back a pipe, which is closed if there are others, or bytes in it.
    pub(super) fn put(&mut self, pipe: Option<Pipe>) {
        if self.spare.len() < MOST_SPARE {
            self.spare.extend(pipe.filter(|pipe| pipe.held == 0));
        }
    }
}

impl Pipe {
    /// Takes bytes from a socket into the empty pipe; how many.
    ///
    /// # Errors
    /// `EAGAIN` if there are none.
    pub(super) fn fill(&mut self, from: impl AsFd) -> Result<usize, Errno> {
        let taken = moved(from, &self.writer, CAPACITY)?;
        self.held += taken;
        Ok(taken)
    }

    /// Gives bytes to a socket; true when none is left.
    ///
    /// # Errors
    /// `EAGAIN` if the socket takes no more.
    pub(super) fn drain(&mut self, to: impl AsFd) -> Result<bool, Errno> {
        self.held -= moved(&self.reader, to, self.held)?;
        Ok(self.held == 0)
    }
}

fn moved(from: impl AsFd, to: impl AsFd, most: usize) -> Result<usize, Errno> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    rustix::io::retry_on_intr(|| splice(&from, None, &to, None, most, flags))
}
