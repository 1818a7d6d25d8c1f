//! Descriptors that the child holds on its way. No allocation.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};

use rustix::io::Errno;

/// A descriptor that is needed for a moment. All of them carry the mark that closes them when the program is executed,
/// at once and for nothing, so none is closed one by one: that would be a fifth of all system calls of a launch. Only
/// where there are many is it done all the same, lest they become too many.
#[derive(Debug)]
pub(super) struct Brief(Option<OwnedFd>);

impl Brief {
    /// Descriptors from this number on are closed.
    pub(super) const MANY: i32 = 256;
}

impl From<OwnedFd> for Brief {
    fn from(descriptor: OwnedFd) -> Brief {
        Brief(Some(descriptor))
    }
}

impl AsFd for Brief {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_ref().expect("it is there until it is dropped").as_fd()
    }
}

impl Drop for Brief {
    fn drop(&mut self) {
        if let Some(descriptor) = self.0.take_if(|descriptor| descriptor.as_raw_fd() < Brief::MANY) {
            // Left open, on purpose.
            let _ = descriptor.into_raw_fd();
        }
    }
}

/// A directory of the container that steps one after the other make something in. A step that may change what its path
/// leads to forgets it.
#[derive(Debug)]
pub(super) struct Parent<'a> {
    /// Absolute; the root is the empty path.
    path: &'a [u8],
    directory: Brief,
}

impl<'a> Parent<'a> {
    pub(super) fn new(path: &'a [u8], directory: Brief) -> Parent<'a> {
        Parent { path, directory }
    }

    /// The directory, if this is its path.
    pub(super) fn at(&self, path: &[u8]) -> Option<BorrowedFd<'_>> {
        (self.path == path).then(|| self.directory.as_fd())
    }
}

/// The directory that a path lies in, and the last component. No step's path has a `/` at its end.
pub(super) fn split(path: &CStr) -> rustix::io::Result<(&[u8], &CStr)> {
    let bytes = path.to_bytes_with_nul();
    let slash = bytes.iter().rposition(|byte| *byte == b'/').ok_or(Errno::INVAL)?;
    let name = CStr::from_bytes_with_nul(&bytes[slash + 1..]).map_err(|_| Errno::INVAL)?;
    Ok((&bytes[..slash], name))
}

/// The container's root: a descriptor of the parent's, or one of the child's own.
#[derive(Debug)]
pub(super) enum Root<'a> {
    Given(BorrowedFd<'a>),
    Own(OwnedFd),
}

impl AsFd for Root<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Root::Given(descriptor) => *descriptor,
            Root::Own(descriptor) => descriptor.as_fd(),
        }
    }
}
