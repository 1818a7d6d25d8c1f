//! One open directory and the names in it. Owns the calls of the `*at` family with a single component; never resolves a path,
//! never follows a symlink.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{AtFlags, Dev, FileType, Mode, OFlags, RenameFlags, Timestamps};

use crate::error::{Flags, Quoted, Shown};
use crate::{Error, ErrorKind, Metadata, Name, Result, attributes, remove};

/// An open directory. Every method works on one [`Name`] directly in it, and on what has that name itself: a symlink is
/// never followed, not even one that takes the name's place at the last moment.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl Dir {
    /// Takes an open directory, which may be `O_PATH`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotADirectory`] if it is none.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        if attributes::metadata(&fd)?.is_dir() {
            return Ok(Self(fd));
        }
        Err(Error::refused(ErrorKind::NotADirectory, format_args!("{} is not a directory", Shown::new(&fd))))
    }

    /// Takes what a call with `O_DIRECTORY` opened.
    pub(crate) fn from_opened(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// A second descriptor of the same directory.
    pub fn try_clone(&self) -> Result<Self> {
        match rustix::io::fcntl_dupfd_cloexec(&self.0, 3) {
            Ok(fd) => Ok(Self(fd)),
            Err(errno) => Err(Error::call(errno, format_args!("fcntl({}, F_DUPFD_CLOEXEC)", Shown::new(&self.0)))),
        }
    }

    /// Opens the directory `name`, for reading.
    pub fn open_dir(&self, name: Name<'_>) -> Result<Self> {
        self.open(name, OFlags::RDONLY | OFlags::DIRECTORY).map(Self)
    }

    /// Opens `name` with `flags`; `O_CREAT` and `O_TMPFILE` are refused. Opening a FIFO or a device has effects: look first, with `O_PATH`.
    pub fn open(&self, name: Name<'_>, flags: OFlags) -> Result<OwnedFd> {
        attributes::refuse_creation(flags)?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        rustix::fs::openat(&self.0, name.as_bytes(), flags, Mode::empty()).map_err(|errno| {
            Error::call(errno, format_args!("openat({}, {name}, {})", Shown::new(&self.0), Flags(flags)))
        })
    }

    /// Creates the regular file `name` and opens it for writing. The process's umask applies to `mode`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyExists`] if there is anything of that name.
    pub fn create_file(&self, name: Name<'_>, mode: u32) -> Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        rustix::fs::openat(&self.0, name.as_bytes(), flags, Mode::from_raw_mode(mode)).map_err(|errno| {
            Error::call(errno, format_args!("openat({}, {name}, O_CREAT|O_EXCL, {mode:#o})", Shown::new(&self.0)))
        })
    }

    /// Creates the directory `name`. The process's umask applies to `mode`.
    pub fn make_dir(&self, name: Name<'_>, mode: u32) -> Result<()> {
        rustix::fs::mkdirat(&self.0, name.as_bytes(), Mode::from_raw_mode(mode))
            .map_err(|errno| Error::call(errno, format_args!("mkdirat({}, {name}, {mode:#o})", Shown::new(&self.0))))
    }

    /// Creates the symlink `name`; `target` is stored as it is, and never looked at.
    pub fn symlink(&self, target: &[u8], name: Name<'_>) -> Result<()> {
        rustix::fs::symlinkat(target, &self.0, name.as_bytes()).map_err(|errno| {
            Error::call(errno, format_args!("symlinkat({}, {}, {name})", Quoted(target), Shown::new(&self.0)))
        })
    }

    /// Gives the file `name` the second name `new` in `to`. A symlink gets the second name itself.
    pub fn hardlink(&self, name: Name<'_>, to: &Self, new: Name<'_>) -> Result<()> {
        rustix::fs::linkat(&self.0, name.as_bytes(), &to.0, new.as_bytes(), AtFlags::empty()).map_err(|errno| {
            let (from, to) = (Shown::new(&self.0), Shown::new(&to.0));
            Error::call(errno, format_args!("linkat({from}, {name}, {to}, {new}, 0)"))
        })
    }

    /// Creates the FIFO, socket or device node `name`. The process's umask applies to `mode`.
    pub fn mknod(&self, name: Name<'_>, kind: FileType, mode: u32, device: Dev) -> Result<()> {
        rustix::fs::mknodat(&self.0, name.as_bytes(), kind, Mode::from_raw_mode(mode), device).map_err(|errno| {
            let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
            let dir = Shown::new(&self.0);
            Error::call(errno, format_args!("mknodat({dir}, {name}, {kind:?}, {mode:#o}, {major}:{minor})"))
        })
    }

    /// Moves `name` to `new` in `to`. Without flags it takes the place of what is there, in one step.
    pub fn rename(&self, name: Name<'_>, to: &Self, new: Name<'_>, flags: RenameFlags) -> Result<()> {
        let answer = rustix::fs::renameat_with(&self.0, name.as_bytes(), &to.0, new.as_bytes(), flags);
        answer.map_err(|errno| {
            let (from, to) = (Shown::new(&self.0), Shown::new(&to.0));
            Error::call(errno, format_args!("renameat2({from}, {name}, {to}, {new}, {flags:?})"))
        })
    }

    /// Removes `name`, which is not a directory.
    pub fn unlink(&self, name: Name<'_>) -> Result<()> {
        rustix::fs::unlinkat(&self.0, name.as_bytes(), AtFlags::empty())
            .map_err(|errno| Error::call(errno, format_args!("unlinkat({}, {name}, 0)", Shown::new(&self.0))))
    }

    /// Removes the empty directory `name`.
    pub fn remove_dir(&self, name: Name<'_>) -> Result<()> {
        rustix::fs::unlinkat(&self.0, name.as_bytes(), AtFlags::REMOVEDIR).map_err(|errno| {
            Error::call(errno, format_args!("unlinkat({}, {name}, AT_REMOVEDIR)", Shown::new(&self.0)))
        })
    }

    /// Removes `name` with all that is below it. Nothing of that name is no error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CrossesMount`] if something is mounted below it: the contents of a mount are never removed.
    pub fn remove_all(&self, name: Name<'_>) -> Result<()> {
        remove::remove_all(self, name)
    }

    /// What `name` is.
    pub fn metadata(&self, name: Name<'_>) -> Result<Metadata> {
        match rustix::fs::statat(&self.0, name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(stat.into()),
            Err(errno) => Err(Error::call(
                errno,
                format_args!("newfstatat({}, {name}, AT_SYMLINK_NOFOLLOW)", Shown::new(&self.0)),
            )),
        }
    }

    /// The target of the symlink `name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPath`] if it is not a symlink.
    pub fn read_link(&self, name: Name<'_>) -> Result<OsString> {
        match rustix::fs::readlinkat(&self.0, name.as_bytes(), Vec::new()) {
            Ok(target) => Ok(OsString::from_vec(target.into_bytes())),
            Err(errno) => Err(Error::call(errno, format_args!("readlinkat({}, {name})", Shown::new(&self.0)))),
        }
    }

    /// Sets owner and group of `name`.
    pub fn set_owner(&self, name: Name<'_>, uid: u32, gid: u32) -> Result<()> {
        let (owner, group) = attributes::ids(uid, gid)?;
        rustix::fs::chownat(&self.0, name.as_bytes(), Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW).map_err(
            |errno| Error::call(errno, format_args!("fchownat({}, {name}, {uid}, {gid})", Shown::new(&self.0))),
        )
    }

    /// Sets the 12 mode bits of `name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] for a symlink, which has none.
    pub fn set_mode(&self, name: Name<'_>, mode: u32) -> Result<()> {
        attributes::set_mode(self.open(name, OFlags::PATH)?, mode)
    }

    /// Sets access and modification time of `name`.
    pub fn set_times(&self, name: Name<'_>, times: &Timestamps) -> Result<()> {
        rustix::fs::utimensat(&self.0, name.as_bytes(), times, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| {
            let seconds = times.last_modification.tv_sec;
            Error::call(errno, format_args!("utimensat({}, {name}, {seconds})", Shown::new(&self.0)))
        })
    }

    /// Sets the extended attribute `key` of `name`.
    pub fn set_xattr(&self, name: Name<'_>, key: &[u8], value: &[u8]) -> Result<()> {
        attributes::set_xattr(self.open(name, OFlags::PATH)?, key, value)
    }

    /// All names in the directory, in no order.
    pub fn names(&self) -> Result<Vec<OsString>> {
        let failed = |errno| Error::call(errno, format_args!("getdents64({})", Shown::new(&self.0)));
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(OsString::from_vec(name.to_vec()));
            }
        }
        Ok(names)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Dir> for OwnedFd {
    fn from(dir: Dir) -> Self {
        dir.0
    }
}
