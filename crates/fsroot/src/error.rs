//! The error of this crate: a system call, its arguments, and what the kernel answered.
//! Owns the wording; never decides what to do about an error.

use std::fmt::{self, Display};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;

/// The result of every fallible function here.
pub type Result<T> = std::result::Result<T, Error>;

/// A call that did not succeed, or a path that was refused before any call.
///
/// Prints as `mkdirat(5</srv/layer>, "etc", 0755): File exists (os error 17)`.
#[derive(Debug)]
pub struct Error(Box<Details>);

#[derive(Debug)]
struct Details {
    kind: ErrorKind,
    what: String,
    errno: Option<Errno>,
}

/// What went wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing has that name.
    NotFound,
    /// Something has that name already.
    AlreadyExists,
    /// A component that must be a directory is something else.
    NotADirectory,
    /// A directory is where something else was expected.
    IsADirectory,
    /// A symlink is where none is followed, or there are too many of them.
    Symlink,
    /// A directory that must be empty is not.
    NotEmpty,
    /// The kernel refused: missing right, read-only or immutable.
    PermissionDenied,
    /// The path or name cannot be used: empty, with NUL, `..` at the end, too long.
    InvalidPath,
    /// Contents were asked of something that is not a regular file.
    NotRegular,
    /// Larger than the caller allows.
    TooLarge,
    /// The path leads across a mount where that is not allowed.
    CrossesMount,
    /// The file system is full, or a quota is.
    NoSpace,
    /// The kernel or the file system cannot do this.
    Unsupported,
    /// Somebody changed the tree faster than it could be walked.
    Raced,
    /// Anything else; see [`Error::raw_os_error`].
    Other,
}

impl Error {
    /// What went wrong, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The number that the kernel answered with; none if no call was made.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.0.errno.map(Errno::raw_os_error)
    }

    /// A call that the kernel refused.
    pub(crate) fn call(errno: Errno, what: impl Display) -> Self {
        Self(Box::new(Details { kind: kind_of(errno), what: what.to_string(), errno: Some(errno) }))
    }

    /// A refusal of our own.
    pub(crate) fn refused(kind: ErrorKind, what: impl Display) -> Self {
        Self(Box::new(Details { kind, what: what.to_string(), errno: None }))
    }
}

impl Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.what)?;
        if let Some(errno) = self.0.errno {
            write!(out, ": {}", std::io::Error::from(errno))?;
            if errno == Errno::NOSYS && self.0.what.starts_with("openat2(") {
                out.write_str("; Linux 5.6 or newer is needed")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.raw_os_error() {
            Some(number) => Self::from_raw_os_error(number).kind(),
            None => std::io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

fn kind_of(errno: Errno) -> ErrorKind {
    match errno {
        Errno::NOENT => ErrorKind::NotFound,
        Errno::EXIST => ErrorKind::AlreadyExists,
        Errno::NOTDIR => ErrorKind::NotADirectory,
        Errno::ISDIR => ErrorKind::IsADirectory,
        Errno::LOOP => ErrorKind::Symlink,
        Errno::NOTEMPTY => ErrorKind::NotEmpty,
        Errno::PERM | Errno::ACCESS | Errno::ROFS => ErrorKind::PermissionDenied,
        Errno::NAMETOOLONG | Errno::INVAL => ErrorKind::InvalidPath,
        Errno::XDEV => ErrorKind::CrossesMount,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => ErrorKind::NoSpace,
        Errno::NOSYS | Errno::OPNOTSUPP => ErrorKind::Unsupported,
        Errno::AGAIN => ErrorKind::Raced,
        _ => ErrorKind::Other,
    }
}

/// Shows a descriptor as `5</path/behind/it>`.
pub(crate) struct Shown<'a>(BorrowedFd<'a>);

impl<'a> Shown<'a> {
    pub(crate) fn new(fd: &'a impl AsFd) -> Self {
        Self(fd.as_fd())
    }
}

impl Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.as_raw_fd();
        match std::fs::read_link(format!("/proc/self/fd/{number}")) {
            // Escaped, because the path holds names that a stranger chose and the message goes to a terminal.
            Ok(path) => write!(out, "{number}<{}>", path.as_os_str().as_encoded_bytes().escape_ascii()),
            Err(_) => write!(out, "{number}"),
        }
    }
}

/// Shows bytes that a stranger chose, quoted and escaped.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

impl Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "\"{}\"", self.0.escape_ascii())
    }
}

/// Shows flags of an open as C has them.
pub(crate) struct Flags(pub(crate) OFlags);

impl Display for Flags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // O_RDONLY is 0.
        let access = (self.0 & (OFlags::PATH | OFlags::ACCMODE)).is_empty().then_some("RDONLY");
        let named = self.0.iter_names().map(|(name, _)| name).filter(|name| *name != "ACCMODE" && *name != "RWMODE");
        for (index, name) in access.into_iter().chain(named).enumerate() {
            write!(out, "{}O_{name}", if index == 0 { "" } else { "|" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_refused_in_plain_words() {
        let error = Error::call(Errno::NOSYS, "openat2(3</srv>, \".\", O_PATH)");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().ends_with("; Linux 5.6 or newer is needed"), "{error}");
    }

    #[test]
    fn flags_as_c_has_them() {
        let check = |flags: OFlags, want: &str| assert_eq!(Flags(flags).to_string(), want);
        check(OFlags::RDONLY, "O_RDONLY");
        check(OFlags::RDONLY | OFlags::CLOEXEC, "O_RDONLY|O_CLOEXEC");
        check(OFlags::PATH | OFlags::NOFOLLOW, "O_NOFOLLOW|O_PATH");
        check(OFlags::RDWR | OFlags::TRUNC, "O_RDWR|O_TRUNC");
    }
}
