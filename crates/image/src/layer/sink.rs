//! Where an archive is written to. Owns the one buffer between the files and the writer; knows nothing of headers.

use std::io::Write;
use std::os::fd::AsFd;

use rustix::io::Errno;

use super::input::BLOCK;
use super::{Error, Result};

/// As large as the reader's: a write costs little more than the copy, and it stays in the second-level cache.
const BUFFER: usize = 256 << 10;
/// Room that is left in the buffer for headers when it is not flushed.
const SLACK: usize = 64 << 10;

/// A buffered writer that files are read into.
pub(super) struct Sink<W> {
    out: W,
    buffer: Vec<u8>,
    written: u64,
}

impl<W: Write> Sink<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, buffer: Vec::with_capacity(BUFFER + SLACK), written: 0 }
    }

    /// To append to; [`Self::flush_if_full`] afterwards.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    pub(super) fn flush_if_full(&mut self) -> Result<()> {
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Counts `size` bytes as written.
    pub(super) fn pass(&mut self, size: u64) {
        self.written += size;
    }

    /// Appends the first `size` bytes of `file`, and zeros if it has fewer.
    pub(super) fn file(&mut self, file: impl AsFd, size: u64) -> Result<()> {
        let mut offset = 0;
        while offset < size {
            if self.buffer.len() >= BUFFER {
                self.flush()?;
            }
            let start = self.buffer.len();
            let room = BUFFER - start;
            let want = usize::try_from(size - offset).map_or(room, |left| left.min(room));
            self.buffer.resize(start + want, 0);
            let count = match rustix::io::pread(&file, &mut self.buffer[start..], offset) {
                // It is shorter than it was: what was announced is filled up.
                Ok(0) => want,
                Ok(count) => count,
                Err(Errno::INTR) => 0,
                Err(errno) => return Err(Error::read(errno.into())),
            };
            self.buffer.truncate(start + count);
            offset += count as u64;
        }
        self.flush_if_full()
    }

    /// The two empty blocks at the end; returns the bytes of the whole.
    pub(super) fn end(&mut self) -> Result<u64> {
        self.buffer.resize(self.buffer.len() + 2 * BLOCK, 0);
        self.flush()?;
        Ok(self.written)
    }

    fn flush(&mut self) -> Result<()> {
        self.out.write_all(&self.buffer).map_err(Error::output)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
