//! PAX extended headers (POSIX.1-2001 `pax`, "pax Extended Header"). Owns the records and what their keys mean; never applies them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use rustix::fs::Timespec;

use super::sparse::{self, decimal};
use super::{Error, Limits, Result};

/// libarchive leaves the padding out, others do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What extended headers said about the next entry, or about all that follow.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Timespec>,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) sparse: SparseRecords,
}

/// What extended headers said about holes.
#[derive(Debug, Default)]
pub(super) struct SparseRecords {
    pub(super) major: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) parts: Option<Vec<(u64, u64)>>,
    /// The offset whose length comes in the next record (format 0.0).
    offset: Option<u64>,
}

impl Records {
    /// Takes over the records in `data`, the contents of one extended header.
    pub(super) fn add(&mut self, data: &[u8], limits: &Limits) -> Result<()> {
        let mut rest = data;
        // Some writers pad with NULs.
        while rest.first().is_some_and(|byte| *byte != 0) {
            let (key, value);
            (key, value, rest) =
                split_record(rest).ok_or_else(|| Error::malformed("a PAX record has no proper length"))?;
            self.record(key, value, limits)
                .ok_or_else(|| Error::malformed(format_args!("the PAX record \"{}\" is bad", key.escape_ascii())))?;
        }
        let size: usize = self.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > limits.xattr_bytes {
            let limit = limits.xattr_bytes;
            return Err(Error::too_large(format_args!("extended attributes of {size} bytes, over {limit}")));
        }
        Ok(())
    }

    /// Takes one record; none if its value is not what the key demands. An empty value takes an earlier one back.
    fn record(&mut self, key: &[u8], value: &[u8], limits: &Limits) -> Option<()> {
        let number = || if value.is_empty() { Some(None) } else { decimal(value).map(Some) };
        let text = || (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.path = text(),
            b"linkpath" => self.link = text(),
            b"size" => self.size = number()?,
            b"uid" => self.uid = number()?,
            b"gid" => self.gid = number()?,
            b"mtime" if value.is_empty() => self.mtime = None,
            b"mtime" => self.mtime = Some(time(value)?),
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattr(keyword_decoded(name), value.to_vec())?;
                } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                    self.xattr(percent_decoded(name)?, BASE64.decode(value).ok()?)?;
                } else if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.record(key, value, limits)?;
                }
            }
        }
        Some(())
    }

    fn xattr(&mut self, name: Vec<u8>, value: Vec<u8>) -> Option<()> {
        if name.is_empty() || name.contains(&0) {
            return None;
        }
        self.xattrs.insert(name, value);
        Some(())
    }
}

impl SparseRecords {
    fn record(&mut self, key: &[u8], value: &[u8], limits: &Limits) -> Option<()> {
        match key {
            b"major" => self.major = Some(decimal(value)?),
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = Some(decimal(value)?),
            b"map" => self.parts = Some(sparse::parse_list(value).ok()?),
            b"offset" => self.offset = Some(decimal(value)?),
            b"numbytes" => {
                let part = (self.offset.take()?, decimal(value)?);
                let parts = self.parts.get_or_insert_default();
                if parts.len() >= limits.header_bytes / 16 {
                    return None;
                }
                parts.push(part);
            }
            // The minor number tells nothing that the other records do not, and the count of parts is theirs.
            _ => {}
        }
        Some(())
    }
}

/// Splits off one record, `length key=value\n`, where the length counts all of it.
fn split_record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = data.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&data[..blank])?).ok()?;
    let record = data.get(..length)?.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    if equals == 0 {
        return None;
    }
    Some((&record[..equals], &record[equals + 1..], &data[length..]))
}

/// A time in seconds with a decimal fraction, which may be negative.
fn time(text: &[u8]) -> Option<Timespec> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &b""[..]),
    };
    let seconds = i64::try_from(decimal(whole)?).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().chain(std::iter::repeat(&b'0')).take(9);
    let nanoseconds = digits.fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    // The kernel counts the fraction upwards also before 1970.
    Some(match (negative, nanoseconds) {
        (false, _) => Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
        (true, 0) => Timespec { tv_sec: -seconds, tv_nsec: 0 },
        (true, _) => Timespec { tv_sec: -seconds - 1, tv_nsec: 1_000_000_000 - nanoseconds },
    })
}

/// A record cannot have `=` in its key, so GNU tar writes `%3D` for it, and `%25` for the percent sign.
fn keyword_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match rest {
            [b'%', b'3', b'D', after @ ..] => (b'=', after),
            [b'%', b'2', b'5', after @ ..] => (b'%', after),
            _ => (*first, after),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

/// libarchive writes names of attributes like parts of a URL.
fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(data: &[u8]) -> Result<Records> {
        let mut records = Records::default();
        records.add(data, &Limits::default()).map(|()| records)
    }

    fn record(key: &str, value: &[u8]) -> Vec<u8> {
        let rest = key.len() + value.len() + 3;
        let size = (rest..rest + 9).find(|size| rest + size.to_string().len() == *size).expect("there is always one");
        [format!("{size} {key}=").as_bytes(), value, b"\n"].concat()
    }

    #[test]
    fn good_records() {
        let all = [
            record("path", b"a"),
            record("mtime", b"1.5000000009"),
            record("SCHILY.xattr.user.x", b"a\0b\n=\n"),
            record("LIBARCHIVE.xattr.user.%41", b"AAE"),
            record("SCHILY.xattr.user.%3D%253D%41", b""),
            record("size", b"7"),
            record("uid", b"12"),
            record("comment", b"nothing to us"),
        ];
        let found = records(&all.concat()).expect("good records");
        assert_eq!(found.path.as_deref(), Some(&b"a"[..]));
        assert_eq!((found.size, found.uid, found.gid), (Some(7), Some(12), None));
        assert_eq!(found.mtime, Some(Timespec { tv_sec: 1, tv_nsec: 500_000_000 }));
        assert_eq!(found.xattrs[&b"user.x"[..]], b"a\0b\n=\n");
        assert_eq!(found.xattrs[&b"user.A"[..]], [0, 1]);
        assert_eq!(found.xattrs[&b"user.=%3D%41"[..]], b"");
        let taken_back = [record("path", b"a"), record("path", b"")].concat();
        assert_eq!(records(&taken_back).expect("good records").path, None);
    }

    #[test]
    fn bad_records() {
        let bad: [&[u8]; 13] = [
            b"9 path=aX",
            b"99 path=a\n",
            b"0 path=a\n",
            b"2 path=a\n",
            b"path=a\n",
            b"8 pathna\n",
            b"6 =ab\n",
            b"-9 path=a\n",
            b"99999999999999999999 path=a\n",
            b"11 size=-1\n",
            b"28 size=99999999999999999999\n",
            b"13 mtime=1.x\n",
            b"19 SCHILY.xattr.=a\n",
        ];
        for data in bad {
            assert!(records(data).is_err(), "{}", data.escape_ascii());
        }
    }

    #[test]
    fn times() {
        let check = |text: &str, want: Option<(i64, i64)>| {
            assert_eq!(time(text.as_bytes()).map(|time| (time.tv_sec, time.tv_nsec)), want, "{text}");
        };
        check("0", Some((0, 0)));
        check("12.", Some((12, 0)));
        check("12.000000001", Some((12, 1)));
        check("-1", Some((-1, 0)));
        check("-1.25", Some((-2, 750_000_000)));
        check("-0.5", Some((-1, 500_000_000)));
        check("9223372036854775807.9", Some((i64::MAX, 900_000_000)));
        check("-9223372036854775807.9", Some((i64::MIN, 100_000_000)));
        check("9223372036854775808", None);
        check("", None);
        check(".5", None);
        check("--1", None);
        check("1e5", None);
    }
}
