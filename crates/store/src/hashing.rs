//! A writer that hashes what goes through it.

use std::io::{self, Write};

use crate::digest::{Digest, Hasher};

/// Hashes and counts what is written to another writer.
#[derive(Debug)]
pub struct Hashing<W> {
    out: W,
    hasher: Hasher,
    length: u64,
}

impl<W: Write> Hashing<W> {
    /// Nothing was written yet.
    pub fn new(out: W) -> Hashing<W> {
        Hashing { out, hasher: Hasher::new(), length: 0 }
    }

    /// The digest of all that was written, and how many bytes that were.
    pub fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.length)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
