//! The registers of a rule: sixteen words, of which each may hold what cannot be told.

use super::super::super::nft::Register;

/// Words and bytes.
const WORDS: usize = 16;
const BYTES: usize = WORDS * 4;

/// Registers.
#[derive(Debug, Default)]
pub(super) struct Registers {
    bytes: Bytes,
    unknown: [Option<String>; WORDS],
}

/// Bytes of registers.
#[derive(Debug)]
struct Bytes([u8; BYTES]);

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes([0; BYTES])
    }
}

impl Registers {
    /// Writes a value; the last word that it touches is filled up with zeros. What goes beyond the last word is lost.
    pub(super) fn store(&mut self, at: Register, value: &[u8]) {
        let words = value.len().div_ceil(4);
        for (word, chunk) in value.chunks(4).enumerate() {
            let from = (at.index() + word) * 4;
            if let Some(bytes) = self.bytes.0.get_mut(from..from + 4) {
                bytes.fill(0);
                bytes[..chunk.len()].copy_from_slice(chunk);
            }
        }
        self.mark(at, words, None);
    }

    /// Notes that a value of `length` bytes cannot be told.
    pub(super) fn store_unknown(&mut self, at: Register, length: usize, why: &str) {
        self.mark(at, length.div_ceil(4).max(1), Some(why));
    }

    /// The value that begins there.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub(super) fn load(&self, at: Register, length: usize) -> Result<&[u8], String> {
        let from = at.index() * 4;
        let words = self.unknown.iter().skip(at.index()).take(length.div_ceil(4));
        if let Some(why) = words.flatten().next() {
            return Err(why.clone());
        }
        self.bytes
            .0
            .get(from..from.saturating_add(length))
            .ok_or_else(|| "a rule reads beyond its registers".to_owned())
    }

    /// The number of four bytes there, of the host's order.
    pub(super) fn number(&self, at: Register) -> Result<u32, String> {
        let bytes = self.load(at, 4)?;
        bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)).ok_or_else(String::new)
    }

    /// The port there.
    pub(super) fn port(&self, at: Register) -> Result<u16, String> {
        let bytes = self.load(at, 2)?;
        bytes.first_chunk().map(|bytes| u16::from_be_bytes(*bytes)).ok_or_else(String::new)
    }

    fn mark(&mut self, at: Register, words: usize, why: Option<&str>) {
        for word in self.unknown.iter_mut().skip(at.index()).take(words) {
            *word = why.map(str::to_owned);
        }
    }
}
