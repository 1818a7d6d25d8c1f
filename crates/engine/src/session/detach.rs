//! The key sequence that leaves a container running and gives the terminal back: docker's Ctrl-P Ctrl-Q, or what
//! `--detach-keys` says.
//!
//! Pure: bytes in, bytes out. It owns no descriptor.

use crate::error::{Error, Result};

const CTRL_P: u8 = 0x10;
const CTRL_Q: u8 = 0x11;

/// Finds the sequence in what is typed, also when its keys come with several reads.
///
/// What may be its beginning is held back until the next key tells; then it passes on with that key.
#[derive(Debug)]
pub struct DetachKeys {
    sequence: Vec<u8>,
    held: Vec<u8>,
}

impl Default for DetachKeys {
    fn default() -> DetachKeys {
        DetachKeys { sequence: vec![CTRL_P, CTRL_Q], held: Vec::new() }
    }
}

impl DetachKeys {
    /// Parses `--detach-keys`: single characters, or `ctrl-` and a letter or one of `@[\]^_`, with commas between them.
    /// Nothing is the default.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn parse(text: &str) -> Result<DetachKeys> {
        if text.is_empty() {
            return Ok(DetachKeys::default());
        }
        let key = |key: &str| match key.as_bytes() {
            [single] => Some(*single),
            [b'c', b't', b'r', b'l', b'-', letter @ (b'a'..=b'z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => {
                Some(letter.to_ascii_uppercase() - b'@')
            }
            _ => None,
        };
        let sequence = text.split(',').map(key).collect::<Option<Vec<u8>>>();
        let sequence = sequence.ok_or_else(|| {
            Error::invalid(format!("--detach-keys {text}: not a sequence of keys"))
                .with_hint("give keys such as ctrl-p,ctrl-q or ctrl-a,d")
        })?;
        Ok(DetachKeys { sequence, held: Vec::new() })
    }

    /// Appends to `out` what the container shall get of `typed`.
    ///
    /// True when the sequence was completed: what was typed after it is not passed on.
    #[must_use]
    pub fn pass(&mut self, typed: &[u8], out: &mut Vec<u8>) -> bool {
        for &byte in typed {
            self.held.push(byte);
            while !self.sequence.starts_with(&self.held) {
                out.push(self.held.remove(0));
            }
            if self.held.len() == self.sequence.len() {
                self.held.clear();
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::DetachKeys;

    /// Types `reads` one after the other; tells what passed and whether it ended in a detach.
    fn check(keys: &str, reads: &[&[u8]], passed: &[u8], detached: bool) {
        let (mut keys, mut out) = (DetachKeys::parse(keys).expect("is a sequence"), Vec::new());
        let ended = reads.iter().any(|read| keys.pass(read, &mut out));
        assert_eq!((out.as_slice(), ended), (passed, detached), "{reads:?}");
    }

    #[test]
    fn only_the_whole_sequence_detaches() {
        check("", &[b"ls\r"], b"ls\r", false);
        check("", &[b"\x10\x11"], b"", true);
        check("", &[b"ab\x10\x11cd"], b"ab", true);
        check("", &[b"\x10", b"\x11"], b"", true);
        check("", &[b"\x10", b"x", b"\x11"], b"\x10x\x11", false);
        check("", &[b"\x10\x10\x11"], b"\x10", true);
        check("", &[b"\x10"], b"", false);
        check("", &[b"\x11\x10", b"a"], b"\x11\x10a", false);
    }

    #[test]
    fn sequences_of_the_users() {
        check("ctrl-a,d", &[b"\x01x\x01d"], b"\x01x", true);
        check("ctrl-@", &[b"a\0b"], b"a", true);
        check("a,a,b", &[b"aa", b"ab"], b"a", true);
        for text in ["ctrl-", "ctrl-1", "ab", ",", "ctrl-A"] {
            assert!(DetachKeys::parse(text).is_err(), "{text}");
        }
    }
}
