//! From an entry to the bytes of its headers: ustar (POSIX.1-1988), with a PAX header (POSIX.1-2001) in front where that has no room.
//! Owns field positions and what needs a PAX record; the same entry always has the same bytes.

use std::io::Write as _;

use rustix::fs::{Timespec, major, minor};

use super::archive::{Entry, Kind};
use super::input::BLOCK;

/// Bytes of a name in a header, and of a link's target.
const NAME: usize = 100;
/// The largest number that a field of eight bytes holds in octal digits, and one of twelve.
const SMALL: u64 = 0o7_777_777;
const LARGE: u64 = 0o77_777_777_777;

/// Appends the headers of `entry` to `out`.
pub(super) fn headers(entry: &Entry, out: &mut Vec<u8>) {
    let mut path = std::borrow::Cow::Borrowed(entry.path.as_slice());
    if entry.kind == Kind::Directory && !path.ends_with(b"/") {
        path.to_mut().push(b'/');
    }
    let records = records(entry, &path);
    if !records.is_empty() {
        let mut pax = Header::new(b'x');
        pax.text(0, NAME, &pax_name(&path));
        pax.octal(100, 8, 0o644);
        pax.octal(124, 12, records.len() as u64);
        pax.finish(out);
        out.extend_from_slice(&records);
        pad(out, records.len() as u64);
    }
    let mut header = Header::new(flag(entry.kind));
    header.text(0, NAME, &path);
    header.text(157, NAME, &entry.link);
    header.octal(100, 8, u64::from(entry.mode));
    header.octal(108, 8, u64::from(entry.uid));
    header.octal(116, 8, u64::from(entry.gid));
    header.octal(124, 12, entry.stored);
    header.octal(136, 12, u64::try_from(entry.mtime.tv_sec).unwrap_or_default());
    if matches!(entry.kind, Kind::CharDevice | Kind::BlockDevice) {
        header.octal(329, 8, u64::from(major(entry.device)));
        header.octal(337, 8, u64::from(minor(entry.device)));
    }
    header.finish(out);
}

/// The headers of a regular file of `size` bytes, owned by root and older than everything.
pub(crate) fn entry_headers(name: &str, size: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(BLOCK);
    let entry = Entry { path: name.as_bytes().to_vec(), mode: 0o644, stored: size, ..Entry::default() };
    headers(&entry, &mut out);
    out
}

/// Fills what follows `length` bytes up to the next block.
pub(super) fn pad(out: &mut Vec<u8>, length: u64) {
    let over = usize::try_from(length % BLOCK as u64).unwrap_or_default();
    if over > 0 {
        out.resize(out.len() + BLOCK - over, 0);
    }
}

/// What the header of `entry` has no room for.
fn records(entry: &Entry, path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if path.len() > NAME || !path.is_ascii() {
        record(&mut out, b"path", path);
    }
    if entry.link.len() > NAME || !entry.link.is_ascii() {
        record(&mut out, b"linkpath", &entry.link);
    }
    if entry.stored > LARGE {
        record(&mut out, b"size", entry.stored.to_string().as_bytes());
    }
    for (key, id) in [(&b"uid"[..], entry.uid), (b"gid", entry.gid)] {
        if u64::from(id) > SMALL {
            record(&mut out, key, id.to_string().as_bytes());
        }
    }
    if entry.mtime.tv_nsec != 0 || entry.mtime.tv_sec < 0 || entry.mtime.tv_sec.unsigned_abs() > LARGE {
        record(&mut out, b"mtime", time(entry.mtime).as_bytes());
    }
    for (name, value) in &entry.xattrs {
        record(&mut out, &[b"SCHILY.xattr.", keyword(name).as_slice()].concat(), value);
    }
    out
}

/// One record, `length key=value\n`, whose length counts itself.
fn record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + digits(length) != length {
        length = rest + digits(length);
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// A key cannot have `=` in it; GNU tar's way out, which our reader knows.
fn keyword(name: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'%' => encoded.extend_from_slice(b"%25"),
            b'=' => encoded.extend_from_slice(b"%3D"),
            other => encoded.push(*other),
        }
    }
    encoded
}

/// Seconds with nine decimals; the kernel counts the fraction upwards also before 1970, a decimal number does not.
fn time(time: Timespec) -> String {
    let nanoseconds = time.tv_nsec;
    match (time.tv_sec, nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (seconds @ 0.., _) => format!("{seconds}.{nanoseconds:09}"),
        (seconds, _) => format!("-{}.{:09}", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds),
    }
}

/// What programs that know no PAX call the header; of the name, the end, which tells most.
fn pax_name(path: &[u8]) -> Vec<u8> {
    const BEFORE: &[u8] = b"PaxHeaders.0/";
    let trimmed = path.strip_suffix(b"/").unwrap_or(path);
    let start = trimmed.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let last = trimmed[start..].iter().map(|byte| if byte.is_ascii_graphic() { *byte } else { b'_' });
    BEFORE.iter().copied().chain(last).take(NAME).collect()
}

fn flag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::HardLink => b'1',
        Kind::Symlink => b'2',
        Kind::CharDevice => b'3',
        Kind::BlockDevice => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    }
}

struct Header([u8; BLOCK]);

impl Header {
    fn new(flag: u8) -> Self {
        let mut block = [0; BLOCK];
        block[156] = flag;
        block[257..265].copy_from_slice(b"ustar\x0000");
        let mut header = Self(block);
        for at in [100, 108, 116, 329, 337] {
            header.octal(at, 8, 0);
        }
        header.octal(124, 12, 0);
        header.octal(136, 12, 0);
        header
    }

    /// As much of `text` as fits; the whole is in a record then.
    fn text(&mut self, at: usize, room: usize, text: &[u8]) {
        let length = text.len().min(room);
        self.0[at..at + length].copy_from_slice(&text[..length]);
    }

    /// A number in octal digits and a NUL; 0 if it does not fit, and then it is in a record.
    fn octal(&mut self, at: usize, length: usize, value: u64) {
        let fits = value <= if length == 8 { SMALL } else { LARGE };
        let mut field = &mut self.0[at..at + length];
        let value = if fits { value } else { 0 };
        write!(field, "{value:0width$o}\0", width = length - 1).expect("the field is as long as its digits");
    }

    fn finish(mut self, out: &mut Vec<u8>) {
        // The checksum counts itself as blanks.
        self.0[148..156].copy_from_slice(b"        ");
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        let mut field = &mut self.0[148..156];
        write!(field, "{sum:06o}\0 ").expect("512 bytes sum up to six octal digits");
        out.extend_from_slice(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::super::archive::Archive;
    use super::*;

    /// What our reader makes of what we write.
    fn check(entry: &Entry) {
        let mut bytes = Vec::new();
        headers(entry, &mut bytes);
        assert_eq!(bytes.len() % BLOCK, 0);
        bytes.resize(bytes.len() + usize::try_from(entry.stored.min(4096)).expect("small").next_multiple_of(BLOCK), 0);
        let limits = Limits { stream_bytes: u64::MAX / 2, ..Limits::default() };
        let mut archive = Archive::new(bytes.as_slice(), &limits);
        let mut found = Entry::default();
        assert!(archive.next(&mut found).expect("our own archive"));
        let trimmed = |path: &[u8]| path.strip_suffix(b"/").unwrap_or(path).to_vec();
        assert_eq!(trimmed(&found.path), entry.path);
        let shown = |entry: &Entry| {
            let numbers = (entry.mode, entry.uid, entry.gid, entry.stored, entry.device);
            (entry.kind, entry.link.clone(), numbers, (entry.mtime.tv_sec, entry.mtime.tv_nsec), entry.xattrs.clone())
        };
        assert_eq!(shown(&found), shown(entry));
    }

    fn file(path: &[u8]) -> Entry {
        Entry { path: path.to_vec(), mode: 0o644, ..Entry::default() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        check(&file(b"a"));
        check(&file(&[b'n'; 100]));
        check(&file(&[b'n'; 101]));
        check(&file("\u{e4}/\u{1f600}".as_bytes()));
        check(&file(b"\xff\xfe=\n"));
        check(&Entry { kind: Kind::Directory, mode: 0o1777, ..file(b"tmp") });
        check(&Entry { kind: Kind::Directory, ..file(&[b'n'; 100]) });
        check(&Entry { kind: Kind::Symlink, link: vec![b't'; 4000], ..file(b"l") });
        check(&Entry { kind: Kind::CharDevice, device: rustix::fs::makedev(10, 200), ..file(b"tun") });
        check(&Entry { uid: 2_097_151, gid: 2_097_152, ..file(b"ids") });
        check(&Entry { uid: 4_000_000_000, ..file(b"ids") });
        check(&Entry { stored: 3000, ..file(b"size") });
        check(&Entry { stored: LARGE + 1, ..file(b"huge") });
        for (tv_sec, tv_nsec) in [(1, 1), (0, 999_999_999), (-1, 1), (-1, 999_999_999), (-5, 0), (1 << 40, 5)] {
            check(&Entry { mtime: Timespec { tv_sec, tv_nsec }, ..file(b"time") });
        }
        let xattrs = vec![(b"user.a=b%".to_vec(), b"x\0\n=".to_vec()), (b"user.empty".to_vec(), Vec::new())];
        check(&Entry { xattrs, ..file(b"attributes") });
    }

    proptest::proptest! {
        #[test]
        fn records_have_their_own_length(key in "[a-z]{1,12}", value in proptest::collection::vec(0_u8.., 0..1200)) {
            let mut out = Vec::new();
            record(&mut out, key.as_bytes(), &value);
            let blank = out.iter().position(|byte| *byte == b' ').expect("a blank");
            let length: usize = std::str::from_utf8(&out[..blank]).expect("digits").parse().expect("digits");
            proptest::prop_assert_eq!(length, out.len());
        }
    }
}
