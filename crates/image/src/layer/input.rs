//! The stream of a layer. Owns the one buffer and the count of bytes; knows blocks of 512 bytes and nothing else of tar.

use std::io::{ErrorKind as IoKind, Read};

use super::{Error, Result};

/// A tar block.
pub(super) const BLOCK: usize = 512;

/// Large enough that a write of a large file costs little more than the copy, small enough to stay in the second-level cache.
const BUFFER: usize = 256 << 10;

/// Reads a stream through one buffer, of which slices are handed out without copying.
pub(super) struct Input<R> {
    reader: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes that may still be read.
    allowed: u64,
    limit: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(reader: R, limit: u64) -> Self {
        Self { reader, buffer: vec![0; BUFFER].into(), start: 0, end: 0, allowed: limit, limit }
    }

    /// The next block; none if the stream ends before its first byte.
    pub(super) fn block(&mut self) -> Result<Option<&[u8; BLOCK]>> {
        if self.end - self.start < BLOCK {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            self.fill()?;
            if self.end == 0 {
                return Ok(None);
            }
        }
        let block = self.buffer[self.start..self.end].first_chunk::<BLOCK>().ok_or_else(cut_off)?;
        self.start += BLOCK;
        Ok(Some(block))
    }

    /// The next bytes: at least one, at most `max`, which is not 0.
    pub(super) fn data(&mut self, max: u64) -> Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.fill()?;
            if self.end == 0 {
                return Err(cut_off());
            }
        }
        let there = self.end - self.start;
        let count = usize::try_from(max).map_or(there, |max| max.min(there));
        let data = &self.buffer[self.start..self.start + count];
        self.start += count;
        Ok(data)
    }

    /// The next `count` bytes, collected. The caller has checked that `count` is within its limits.
    pub(super) fn take(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut taken = Vec::with_capacity(count.min(BUFFER));
        while taken.len() < count {
            let more = self.data((count - taken.len()) as u64)?;
            taken.extend_from_slice(more);
        }
        Ok(taken)
    }

    /// Checks that `count` bytes more are within the limit, so that it is said at once and not after reading for an hour.
    pub(super) fn announce(&self, count: u64) -> Result<()> {
        let there = (self.end - self.start) as u64;
        if count > self.allowed.saturating_add(there) { Err(self.over_limit()) } else { Ok(()) }
    }

    /// Passes over `count` bytes.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<()> {
        while count > 0 {
            count -= self.data(count)?.len() as u64;
        }
        Ok(())
    }

    /// Passes over what fills the last block of an entry. Some writers end the archive without it; whether the stream
    /// was cut there by accident is for its digest to tell.
    pub(super) fn skip_padding(&mut self, count: u64) -> Result<()> {
        debug_assert!(count < BLOCK as u64);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.fill()?;
        }
        if self.start == self.end { Ok(()) } else { self.skip(count) }
    }

    /// Reads to the end of the stream: its digest covers also what follows the end of the archive.
    pub(super) fn drain(&mut self) -> Result<()> {
        loop {
            self.start = 0;
            self.end = 0;
            self.fill()?;
            if self.end == 0 {
                return Ok(());
            }
        }
    }

    /// Fills the buffer to its end, or to the end of the stream.
    fn fill(&mut self) -> Result<()> {
        while self.end < self.buffer.len() {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(count) => {
                    self.end += count;
                    self.allowed = self.allowed.checked_sub(count as u64).ok_or_else(|| self.over_limit())?;
                }
                Err(error) if error.kind() == IoKind::Interrupted => {}
                Err(error) => return Err(Error::read(error)),
            }
        }
        Ok(())
    }

    fn over_limit(&self) -> Error {
        Error::too_large(format_args!("more than {} bytes uncompressed", self.limit))
    }
}

fn cut_off() -> Error {
    Error::malformed("the archive is cut off")
}
