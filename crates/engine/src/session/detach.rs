//! The key sequence that leaves a container running and gives the terminal back: Ctrl-P Ctrl-Q, as docker's.
//!
//! Pure: bytes in, bytes out. It owns no descriptor.

const CTRL_P: u8 = 0x10;
const CTRL_Q: u8 = 0x11;

/// Finds Ctrl-P Ctrl-Q in what is typed, also when the two keys come with two reads.
///
/// A Ctrl-P is held back until the next key tells what it was; then it passes on with that key.
#[derive(Debug, Default)]
pub struct DetachKeys {
    held: bool,
}

impl DetachKeys {
    /// Appends to `out` what the container shall get of `typed`.
    ///
    /// True when the sequence was completed: what was typed after it is not passed on.
    #[must_use]
    pub fn pass(&mut self, typed: &[u8], out: &mut Vec<u8>) -> bool {
        for &byte in typed {
            if std::mem::take(&mut self.held) {
                if byte == CTRL_Q {
                    return true;
                }
                out.push(CTRL_P);
            }
            if byte == CTRL_P {
                self.held = true;
            } else {
                out.push(byte);
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::DetachKeys;

    /// Types `reads` one after the other; tells what passed and whether it ended in a detach.
    fn check(reads: &[&[u8]], passed: &[u8], detached: bool) {
        let (mut keys, mut out) = (DetachKeys::default(), Vec::new());
        let ended = reads.iter().any(|read| keys.pass(read, &mut out));
        assert_eq!((out.as_slice(), ended), (passed, detached), "{reads:?}");
    }

    #[test]
    fn only_the_whole_sequence_detaches() {
        check(&[b"ls\r"], b"ls\r", false);
        check(&[b"\x10\x11"], b"", true);
        check(&[b"ab\x10\x11cd"], b"ab", true);
        check(&[b"\x10", b"\x11"], b"", true);
        check(&[b"\x10", b"x", b"\x11"], b"\x10x\x11", false);
        check(&[b"\x10\x10\x11"], b"\x10", true);
        check(&[b"\x10"], b"", false);
        check(&[b"\x11\x10", b"a"], b"\x11\x10a", false);
    }
}
