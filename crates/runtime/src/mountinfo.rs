//! The kernel's table of what is mounted (`proc_pid_mountinfo(5)`), read where it lies: starting a container reads it too.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// The table of the calling process.
pub const OWN: &str = "/proc/self/mountinfo";

/// One mount: its fields as the table has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mount<'a> {
    /// Its number.
    pub number: &'a [u8],
    /// The number of the mount that it is on.
    pub parent: &'a [u8],
    root: &'a [u8],
    point: &'a [u8],
    /// Kind of file system.
    pub kind: &'a [u8],
    options: &'a [u8],
}

impl<'a> Mount<'a> {
    fn of(line: &'a [u8]) -> Option<Mount<'a>> {
        // Number, parent, device, root, mount point, options; any number of others; a dash; kind, source, options.
        let mut fields = line.split(|byte| *byte == b' ');
        let (number, parent) = (fields.next()?, fields.next()?);
        let (root, point) = (fields.nth(1)?, fields.next()?);
        let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
        Some(Mount { number, parent, root, point, kind: fields.next()?, options: fields.nth(1).unwrap_or_default() })
    }

    /// Which directory or file of its file system it shows.
    pub fn root(&self) -> PathBuf {
        path(self.root)
    }

    /// Where it is.
    pub fn point(&self) -> PathBuf {
        path(self.point)
    }

    /// The options of its file system, with commas.
    pub fn options(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.options)
    }
}

/// Reads a process's table.
///
/// # Errors
/// `System` when the process is gone or /proc is not there.
pub fn read(path: &str) -> Result<Vec<u8>> {
    sys::file::read(rustix::fs::CWD, path).map_err(|errno| Error::system(path, errno))
}

/// What a table tells of, the first mount first.
pub fn mounts(table: &[u8]) -> impl DoubleEndedIterator<Item = Mount<'_>> {
    table.split(|byte| *byte == b'\n').filter_map(Mount::of)
}

/// Spaces and the like are octal.
fn path(text: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\');
        plain.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(plain).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_field_by_field() {
        let table =
            b"36 35 98:0 /a\\040b /mnt\\0111 rw,noatime master:1 propagate_from:2 - ext4 /dev/root rw,errors=x\n\
            37 36 0:2 / /x\\134y rw - tmpfs none\nnonsense\n\n";
        let all: Vec<Mount<'_>> = mounts(table).collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].number, all[0].parent, all[0].kind), (&b"36"[..], &b"35"[..], &b"ext4"[..]));
        assert_eq!((all[0].root(), all[0].point()), (PathBuf::from("/a b"), PathBuf::from("/mnt\t1")));
        assert_eq!((all[0].options().as_ref(), all[1].options().as_ref()), ("rw,errors=x", ""));
        assert_eq!((all[1].point(), all[1].kind), (PathBuf::from("/x\\y"), &b"tmpfs"[..]));
    }
}
