//! The stream of a layer. Owns the one buffer and the count of bytes; knows blocks of 512 bytes and nothing else of tar.

use std::io::{ErrorKind as IoKind, Read, Write};

use super::{Error, Result};

/// A tar block.
pub(super) const BLOCK: usize = 512;

/// Large enough that a write of a large file costs little more than the copy, small enough to stay in the second-level cache.
const BUFFER: usize = 256 << 10;

/// Reads a stream through one buffer, of which slices are handed out without copying.
pub(super) struct Input<'a, R> {
    reader: R,
    /// Gets everything but the contents of files (see `tape`).
    tap: Option<&'a mut dyn Write>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes that may still be read.
    allowed: u64,
    limit: u64,
}

impl<'a, R: Read> Input<'a, R> {
    pub(super) fn new(reader: R, limit: u64, tap: Option<&'a mut dyn Write>) -> Self {
        Self { reader, tap, buffer: vec![0; BUFFER].into(), start: 0, end: 0, allowed: limit, limit }
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
        if let Some(tap) = &mut self.tap {
            tap.write_all(block).map_err(Error::output)?;
        }
        Ok(Some(block))
    }

    /// Gives bytes to the tap that do not come from the stream.
    pub(super) fn tap(&mut self, bytes: &[u8]) -> Result<()> {
        self.tap.as_mut().map_or(Ok(()), |tap| tap.write_all(bytes)).map_err(Error::output)
    }

    /// The next bytes: at least one, at most `max`, which is not 0. They pass the tap by: they are contents of a file.
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
        self.tap(&taken)?;
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
            let passed = self.data(count)?.len();
            self.tap_last(passed)?;
            count -= passed as u64;
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
            let left = self.end - self.start;
            self.start = self.end;
            self.tap_last(left)?;
            self.start = 0;
            self.end = 0;
            self.fill()?;
            if self.end == 0 {
                return Ok(());
            }
        }
    }

    /// Gives the last `count` bytes that were handed out to the tap.
    fn tap_last(&mut self, count: usize) -> Result<()> {
        let bytes = &self.buffer[self.start - count..self.start];
        self.tap.as_mut().map_or(Ok(()), |tap| tap.write_all(bytes)).map_err(Error::output)
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
