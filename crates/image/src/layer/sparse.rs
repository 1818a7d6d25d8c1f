//! Maps of sparse files: which parts of a file the archive holds. Owns their textual forms (GNU tar manual, "Storing Sparse Files":
//! PAX 0.0, 0.1, 1.0) and the check that a map makes sense; the old GNU form is read in `header`.

use super::{Error, Result};

/// The parts of a sparse file that are in the archive, in order, without overlap.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Map {
    /// Offset and length of each part.
    pub(super) parts: Vec<(u64, u64)>,
    /// The size of the file, holes included.
    pub(super) size: u64,
}

impl Map {
    /// Checks that the parts lie in order within `size` and hold `stored` bytes together.
    pub(super) fn new(parts: Vec<(u64, u64)>, size: u64, stored: u64) -> Result<Self> {
        let bad = |why: &str| Err(Error::malformed(format_args!("the map of a sparse file {why}")));
        if i64::try_from(size).is_err() {
            return bad("has a size out of range");
        }
        let (mut end, mut sum) = (0, 0_u64);
        for &(offset, length) in &parts {
            let Some(next) = offset.checked_add(length) else { return bad("has a part out of range") };
            if offset < end || next > size {
                return bad("has parts that overlap or lie outside of the file");
            }
            end = next;
            // Cannot overflow: the parts do not overlap and all end below `size`.
            sum += length;
        }
        if sum != stored {
            return bad(&format!("describes {sum} bytes and the archive has {stored}"));
        }
        Ok(Self { parts, size })
    }
}

/// Parses the value of `GNU.sparse.map`: `offset,length,offset,length,…`.
pub(super) fn parse_list(text: &[u8]) -> Result<Vec<(u64, u64)>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut numbers = text.split(|byte| *byte == b',');
    let mut parts = Vec::new();
    while let Some(offset) = numbers.next() {
        match (decimal(offset), numbers.next().and_then(decimal)) {
            (Some(offset), Some(length)) => parts.push((offset, length)),
            _ => return Err(Error::malformed("the map of a sparse file has a bad number")),
        }
    }
    Ok(parts)
}

/// Collects a map of format 1.0, which stands in front of the data: the number of parts, then offset and length of each, a line
/// for every number.
#[derive(Default)]
pub(super) struct Lines {
    numbers: Vec<u64>,
    digits: Vec<u8>,
}

impl Lines {
    /// Takes the next block; the map if this was its last one, in which case the rest of the block is padding.
    pub(super) fn push(&mut self, block: &[u8]) -> Result<Option<Vec<(u64, u64)>>> {
        let bad = || Error::malformed("the map of a sparse file has a bad number");
        for byte in block {
            if *byte != b'\n' {
                if self.digits.len() > 20 {
                    return Err(bad());
                }
                self.digits.push(*byte);
                continue;
            }
            self.numbers.push(decimal(&self.digits).ok_or_else(bad)?);
            self.digits.clear();
            if let [count, rest @ ..] = self.numbers.as_slice()
                && rest.len() as u64 == count.checked_mul(2).ok_or_else(bad)?
            {
                return Ok(Some(rest.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()));
            }
        }
        Ok(None)
    }
}

/// An unsigned decimal number that also fits a signed one.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value =
        digits.iter().try_fold(0_i64, |value, digit| value.checked_mul(10)?.checked_add(i64::from(digit - b'0')));
    value.and_then(|value| u64::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_checked() {
        let check = |parts: &[(u64, u64)], size, stored, good: bool| {
            assert_eq!(Map::new(parts.to_vec(), size, stored).is_ok(), good, "{parts:?} of {size}, {stored} stored");
        };
        check(&[], 0, 0, true);
        check(&[], 1 << 40, 0, true);
        check(&[(0, 10), (10, 10), (100, 0)], 100, 20, true);
        check(&[(0, 10), (9, 1)], 100, 11, false);
        check(&[(50, 10), (0, 10)], 100, 20, false);
        check(&[(0, 101)], 100, 101, false);
        check(&[(0, 10)], 100, 11, false);
        check(&[(u64::MAX, 2)], 100, 2, false);
        check(&[], u64::MAX, 0, false);
    }

    #[test]
    fn lines_over_blocks() {
        let check = |text: &str, want: Option<&[(u64, u64)]>| {
            for size in [1, 3, text.len()] {
                let mut lines = Lines::default();
                let mut found = None;
                for block in text.as_bytes().chunks(size) {
                    found = lines.push(block).expect("good numbers");
                    if found.is_some() {
                        break;
                    }
                }
                assert_eq!(found.as_deref(), want, "{text:?} by {size}");
            }
        };
        check("0\n", Some(&[]));
        check("1\n5\n7\n", Some(&[(5, 7)]));
        check("2\n0\n1\n100\n10\n", Some(&[(0, 1), (100, 10)]));
        check("2\n0\n1\n100\n", None);
        for bad in ["\n", "-1\n", "x\n", "9223372036854775808\n", "111111111111111111111111"] {
            assert!(Lines::default().push(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
