//! One path component. Owns the check that it is one; never touches the file system.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use crate::error::Quoted;
use crate::{Error, ErrorKind, Result};

/// The name of something in one directory: not empty, without slash and NUL, neither `.` nor `..`.
///
/// Whoever holds one can pass it to any call of [`crate::Dir`] and be sure that the call stays in that directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// Checks `bytes`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPath`] if they are not one plain component.
    pub fn new(bytes: &'a (impl AsRef<[u8]> + ?Sized)) -> Result<Self> {
        let bytes = bytes.as_ref();
        if matches!(bytes, b"" | b"." | b"..") || bytes.iter().any(|byte| matches!(byte, b'/' | 0)) {
            return Err(Error::refused(ErrorKind::InvalidPath, format_args!("{} is not a file name", Quoted(bytes))));
        }
        Ok(Self(bytes))
    }

    /// Checks the bytes of `text`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPath`] if they are not one plain component.
    pub fn from_os(text: &'a OsStr) -> Result<Self> {
        Self::new(text.as_bytes())
    }

    /// The bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The bytes, as the standard library likes them.
    pub fn as_os_str(self) -> &'a OsStr {
        OsStr::from_bytes(self.0)
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quoted(self.0).fmt(out)
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_component_and_nothing_else() {
        let check = |bytes: &[u8], good: bool| assert_eq!(Name::new(bytes).is_ok(), good, "{}", bytes.escape_ascii());
        check(b"a", true);
        check(b"...", true);
        check(b" ", true);
        check(b".wh.a", true);
        check(b"\xff\n", true);
        for bad in [&b""[..], b".", b"..", b"/", b"a/", b"/a", b"a/b", b"../a", b"a\0"] {
            check(bad, false);
        }
    }
}
