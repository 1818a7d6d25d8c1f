//! One 512-byte tar header: v7, ustar (POSIX.1-1988), star and old GNU (`tar(5)`). Owns field positions and number formats; knows
//! nothing of what a header means together with others.

use super::input::BLOCK;
use super::{Error, Result};

/// A header whose checksum is right.
pub(super) struct Header<'a>(&'a [u8; BLOCK]);

impl<'a> Header<'a> {
    /// Checks `block`; none if it is all zeros, which ends an archive.
    pub(super) fn parse(block: &'a [u8; BLOCK]) -> Result<Option<Self>> {
        if is_zero(block) {
            return Ok(None);
        }
        let header = Self(block);
        let stored = header.number(148, 8, "checksum")?;
        // Some writers of the eighties summed signed characters, and readers accept both ever since.
        let field = &block[148..156];
        let unsigned = block.iter().map(|byte| i64::from(*byte)).sum::<i64>()
            - field.iter().map(|byte| i64::from(*byte)).sum::<i64>()
            + 8 * 32;
        if stored == unsigned {
            return Ok(Some(header));
        }
        let sum = |bytes: &[u8]| bytes.iter().map(|byte| i64::from(byte.cast_signed())).sum::<i64>();
        if stored == sum(block) - sum(field) + 8 * 32 {
            return Ok(Some(header));
        }
        Err(Error::malformed("a header has a wrong checksum: this is not a tar archive, or it is damaged"))
    }

    /// The type of the entry.
    pub(super) fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// Appends the name, with the prefix that ustar keeps apart.
    pub(super) fn name(&self, out: &mut Vec<u8>) {
        if &self.0[257..263] == b"ustar\0" {
            // star keeps times in the last 24 bytes of the prefix.
            let prefix = if &self.0[508..512] == b"tar\0" { &self.0[345..476] } else { &self.0[345..500] };
            let prefix = text(prefix);
            if !prefix.is_empty() {
                out.extend_from_slice(prefix);
                out.push(b'/');
            }
        }
        out.extend_from_slice(text(&self.0[..100]));
    }

    /// The target of a link.
    pub(super) fn link(&self) -> &'a [u8] {
        text(&self.0[157..257])
    }

    /// The 12 mode bits.
    pub(super) fn mode(&self) -> Result<u32> {
        // Some writers put the type of the file in front, as stat(2) does.
        self.number(100, 8, "mode").map(|mode| u32::try_from(mode & 0o7777).unwrap_or_default())
    }

    pub(super) fn uid(&self) -> Result<u64> {
        self.unsigned(108, 8, "uid")
    }

    pub(super) fn gid(&self) -> Result<u64> {
        self.unsigned(116, 8, "gid")
    }

    pub(super) fn size(&self) -> Result<u64> {
        self.unsigned(124, 12, "size")
    }

    /// Seconds since 1970, negative before.
    pub(super) fn mtime(&self) -> Result<i64> {
        self.number(136, 12, "mtime")
    }

    /// Major and minor number of a device node.
    pub(super) fn device(&self) -> Result<(u64, u64)> {
        Ok((self.unsigned(329, 8, "device major")?, self.unsigned(337, 8, "device minor")?))
    }

    /// The sparse map of an old GNU header: the pairs, the size with holes, and whether blocks with more pairs follow.
    pub(super) fn old_sparse(&self, pairs: &mut Vec<(u64, u64)>) -> Result<(u64, bool)> {
        if &self.0[257..265] != b"ustar  \0" {
            return Err(Error::malformed("a sparse file has no GNU header"));
        }
        sparse_pairs(&self.0[386..482], pairs)?;
        Ok((self.unsigned(483, 12, "sparse size")?, self.0[482] != 0))
    }

    fn number(&self, at: usize, length: usize, what: &str) -> Result<i64> {
        number(&self.0[at..at + length]).ok_or_else(|| {
            let field = self.0[at..at + length].escape_ascii();
            Error::malformed(format_args!("the {what} \"{field}\" is no number in range"))
        })
    }

    fn unsigned(&self, at: usize, length: usize, what: &str) -> Result<u64> {
        let value = self.number(at, length, what)?;
        u64::try_from(value).map_err(|_| Error::malformed(format_args!("the {what} is negative: {value}")))
    }
}

/// The pairs of a block that continues an old GNU sparse map, and whether one more follows.
pub(super) fn sparse_continuation(block: &[u8; BLOCK], pairs: &mut Vec<(u64, u64)>) -> Result<bool> {
    sparse_pairs(&block[..504], pairs)?;
    Ok(block[504] != 0)
}

fn sparse_pairs(field: &[u8], pairs: &mut Vec<(u64, u64)>) -> Result<()> {
    for pair in field.chunks_exact(24) {
        if pair[0] == 0 && pair[12] == 0 {
            break;
        }
        let value = |bytes| number(bytes).and_then(|value| u64::try_from(value).ok());
        match (value(&pair[..12]), value(&pair[12..])) {
            (Some(offset), Some(length)) => pairs.push((offset, length)),
            _ => return Err(Error::malformed("the map of a sparse file has a bad number")),
        }
    }
    Ok(())
}

/// True if all of `bytes` are 0.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    // Folding a group without a branch lets the compiler use vectors.
    let groups = bytes.chunks_exact(64);
    groups.remainder().iter().all(|byte| *byte == 0)
        && groups.into_iter().all(|group| group.iter().fold(0, |all, byte| all | byte) == 0)
}

/// A field up to its first NUL.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// A numeric field: octal digits among blanks and NULs, or GNU's base 256 (first bit set, two's complement).
fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        return base256(field);
    }
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !blank(byte)).unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(blank).unwrap_or(digits.len());
    if !digits[end..].iter().all(blank) {
        return None;
    }
    let mut value = 0_i64;
    for digit in &digits[..end] {
        if !matches!(digit, b'0'..=b'7') {
            return None;
        }
        value = value.checked_mul(8)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(value)
}

fn base256(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let mut value = if negative { -1_i64 } else { 0 };
    for (index, byte) in field.iter().enumerate() {
        // The marker bit is not part of the number; in a negative one it counts as one more sign bit.
        let byte = if index == 0 && !negative { byte & 0x7f } else { *byte };
        value = value.checked_mul(256)?.checked_add(i64::from(byte))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_fields() {
        let check = |field: &[u8], want: Option<i64>| assert_eq!(number(field), want, "{}", field.escape_ascii());
        check(b"0000644\0", Some(0o644));
        check(b"   644 \0", Some(0o644));
        check(b"\0\0\0\0\0\0\0\0", Some(0));
        check(b"        ", Some(0));
        check(b"77777777777\0", Some(0o77_777_777_777));
        check(b"777777777777", Some(0o777_777_777_777));
        check(b"12 4\0", None);
        check(b"9\0", None);
        check(b"-1\0", None);
        check(b"0x10\0", None);
        check(b"\x80\0\0\0\0\0\0\x01", Some(1));
        check(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX));
        check(b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None);
        check(b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1));
        check(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2));
        check(b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", Some(i64::MIN));
        check(b"\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0", None);
        check(b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None);
    }

    #[test]
    fn zero_is_seen_anywhere() {
        for length in [0, 1, 63, 64, 65, 512] {
            let mut bytes = vec![0; length];
            assert!(is_zero(&bytes));
            for place in 0..length {
                bytes[place] = 1;
                assert!(!is_zero(&bytes), "{place} of {length}");
                bytes[place] = 0;
            }
        }
    }
}
