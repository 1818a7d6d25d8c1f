//! One cgroup: its directory, and its files by name.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::limits::Version;
use crate::error::{Error, Result};

/// A cgroup that exists. Its files are opened below its descriptor, so that they are of this one and no other.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    /// Opened with its first use: of most hierarchies nothing is used but the list of members.
    fd: OnceCell<OwnedFd>,
    pub(super) version: Version,
    /// Those of its v1 hierarchy.
    pub(super) controllers: Vec<String>,
}

impl Directory {
    /// One that is there.
    pub(super) fn new(path: &Path, version: Version, controllers: &[String]) -> Directory {
        Directory { path: path.to_owned(), fd: OnceCell::new(), version, controllers: controllers.to_vec() }
    }

    /// Opens it.
    ///
    /// # Errors
    /// `System`, naming it.
    pub(super) fn open(path: &Path, version: Version, controllers: &[String]) -> Result<Directory> {
        let directory = Directory::new(path, version, controllers);
        directory.descriptor().map_err(|errno| Error::system(path.display(), errno))?;
        Ok(directory)
    }

    /// Its descriptor.
    pub(super) fn descriptor(&self) -> rustix::io::Result<BorrowedFd<'_>> {
        if let Some(fd) = self.fd.get() {
            return Ok(fd.as_fd());
        }
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let opened = rustix::fs::open(&self.path, flags, Mode::empty())?;
        Ok(self.fd.get_or_init(|| opened).as_fd())
    }

    /// Whether a controller's files can be here: on v2 they can for every one.
    pub(super) fn has(&self, controller: &str) -> bool {
        self.version == Version::V2 || self.controllers.iter().any(|known| known == controller)
    }

    /// Opens a file.
    pub(super) fn file(&self, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        rustix::fs::openat(self.descriptor()?, name, flags | OFlags::CLOEXEC, Mode::empty())
    }

    /// Writes a value in one go, as the kernel wants it.
    pub(super) fn set(&self, name: &str, value: &str) -> rustix::io::Result<()> {
        let fd = self.file(name, OFlags::WRONLY)?;
        rustix::io::write(fd, value.as_bytes()).map(drop)
    }

    /// The content of a file, without white space at its end.
    pub(super) fn get(&self, name: &str) -> rustix::io::Result<String> {
        let bytes = sys::file::read(self.descriptor()?, name)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }

    /// As [`get`](Directory::get), where a file that is not there, or whose cgroup is just going, is no error.
    pub(super) fn find(&self, name: &str) -> Result<Option<String>> {
        match self.get(name) {
            Ok(text) => Ok(Some(text)),
            Err(Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP) => Ok(None),
            Err(errno) => Err(self.error(name, errno)),
        }
    }

    /// An error about one of its files.
    pub(super) fn error(&self, name: &str, errno: Errno) -> Error {
        Error::system(self.path.join(name).display(), errno)
    }
}
