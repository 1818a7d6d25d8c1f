//! The root that strangers' paths are resolved in. Owns the one place where `openat2(2)` is called; hands on descriptors
//! and [`Dir`]s, never paths.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Dev, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Timestamps};
use rustix::io::Errno;

use crate::error::{Flags, Quoted, Shown};
use crate::{Dir, Error, ErrorKind, Metadata, Name, Result, attributes, make};

/// How often a resolution that lost a race against a rename is tried again. The kernel asks for it (EAGAIN, only where
/// `..` is involved); a container that renames in a loop loses within a few tries.
const RACE_TRIES: usize = 128;

/// What to do when the last component of a path is a symlink. The components before it are always followed, inside the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Go where it points to, inside the root.
    Yes,
    /// Take the symlink itself.
    No,
}

/// A directory below which strangers' paths are resolved, as if it were `/`.
#[derive(Debug)]
pub struct Root(Dir);

impl Root {
    /// Opens the root at `path`, which is ours: it is resolved like any path of this process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the kernel has no `openat2`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
            Error::call(errno, format_args!("open({}, {})", Quoted(path.as_os_str().as_bytes()), Flags(flags)))
        })?;
        Self::from_fd(fd)
    }

    /// Takes an open directory as the root.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotADirectory`]; [`ErrorKind::Unsupported`] if the kernel has no `openat2`.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        let root = Self(Dir::from_fd(fd)?);
        root.resolve(Path::new("."), OFlags::PATH)?;
        Ok(root)
    }

    /// The root directory itself.
    pub fn dir(&self) -> &Dir {
        &self.0
    }

    /// Opens `path` as `O_PATH`: to look at, to mount on, to start further calls from.
    pub fn open_path(&self, path: impl AsRef<Path>, follow: Follow) -> Result<OwnedFd> {
        self.open_file(path, OFlags::PATH, follow)
    }

    /// Opens `path` with `flags`; `O_CREAT` and `O_TMPFILE` are refused. Opening a FIFO or a device has effects: for contents that a stranger
    /// may have replaced use [`Self::read_regular`] or [`Self::open_regular`].
    pub fn open_file(&self, path: impl AsRef<Path>, flags: OFlags, follow: Follow) -> Result<OwnedFd> {
        attributes::refuse_creation(flags)?;
        let flags = match follow {
            Follow::Yes => flags,
            Follow::No => flags | OFlags::NOFOLLOW,
        };
        self.resolve(path.as_ref(), flags)
    }

    /// Opens the directory `path`, following symlinks inside the root.
    pub fn open_dir(&self, path: impl AsRef<Path>) -> Result<Dir> {
        self.resolve(path.as_ref(), OFlags::RDONLY | OFlags::DIRECTORY).map(Dir::from_opened)
    }

    /// Opens the regular file `path` for reading, following symlinks inside the root. Nothing else is ever opened:
    /// a device node in its place is not triggered and a FIFO does not block.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRegular`]
    pub fn open_regular(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        let seen = self.open_path(path, Follow::Yes)?;
        let found = attributes::metadata(&seen)?;
        if !found.is_file() {
            let what = Quoted(path.as_os_str().as_bytes());
            let message = format_args!("{what} is not a regular file but {:?}", found.file_type);
            return Err(Error::refused(ErrorKind::NotRegular, message));
        }
        attributes::reopen(&seen, OFlags::RDONLY).map(File::from)
    }

    /// The contents of the regular file `path`, at most `max` bytes, following symlinks inside the root.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRegular`], and [`ErrorKind::TooLarge`] without having read more than `max` bytes.
    pub fn read_regular(&self, path: impl AsRef<Path>, max: u64) -> Result<Vec<u8>> {
        let path = path.as_ref();
        let quoted = || Quoted(path.as_os_str().as_bytes());
        let mut contents = Vec::new();
        let file = self.open_regular(path)?;
        let size = attributes::metadata(&file)?.size;
        // The size is checked first so that a sparse file of a terabyte costs nothing, and while reading because it may grow.
        if size <= max {
            file.take(max.saturating_add(1)).read_to_end(&mut contents).map_err(|error| {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                Error::call(errno, format_args!("read({})", quoted()))
            })?;
        }
        if size.max(contents.len() as u64) > max {
            let message = format_args!("{} is larger than {max} bytes", quoted());
            return Err(Error::refused(ErrorKind::TooLarge, message));
        }
        Ok(contents)
    }

    /// Makes the directory `path` with all that is missing above it, following symlinks inside the root, also those
    /// that point to what does not exist yet. New directories get `mode` less the umask; existing ones stay as they are.
    pub fn mkdir_all(&self, path: impl AsRef<Path>, mode: u32) -> Result<OwnedFd> {
        let path = path.as_ref();
        match self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make::make_dirs(&self.0, path, mode).map(OwnedFd::from)
            }
            answer => answer,
        }
    }

    /// Creates the regular file `path`, new, and opens it for writing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyExists`] if there is anything of that name, a symlink to nowhere included.
    pub fn create_file(&self, path: impl AsRef<Path>, mode: u32) -> Result<OwnedFd> {
        let (parent, name) = self.parent(path.as_ref())?;
        parent.create_file(name, mode)
    }

    /// Puts a regular file with `contents` and exactly `mode` at `path`, in one step: a reader sees the old file or the new one.
    /// What was there, symlink or hard link, is replaced and never written through.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::IsADirectory`] if there is a directory of that name.
    pub fn write_file(&self, path: impl AsRef<Path>, contents: &[u8], mode: u32) -> Result<()> {
        let (parent, name) = self.parent(path.as_ref())?;
        let (file, temporary) = create_temporary(&parent)?;
        let temporary = Name::new(&temporary)?;
        let mut file = File::from(file);
        let written = file
            .write_all(contents)
            .map_err(|error| {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                Error::call(errno, format_args!("write({}, {} bytes)", Shown::new(&file), contents.len()))
            })
            .and_then(|()| attributes::set_mode(&file, mode))
            .and_then(|()| parent.rename(temporary, &parent, name, RenameFlags::empty()));
        if written.is_err() {
            // The error that matters is the first one.
            let _ = parent.unlink(temporary);
        }
        written
    }

    /// Creates the symlink `path`; `target` is stored as it is.
    pub fn symlink(&self, target: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<()> {
        let (parent, name) = self.parent(path.as_ref())?;
        parent.symlink(target.as_ref().as_os_str().as_bytes(), name)
    }

    /// Gives the file `from` the second name `path`. A symlink gets the second name itself.
    pub fn hardlink(&self, from: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<()> {
        let (from_parent, from_name) = self.parent(from.as_ref())?;
        let (parent, name) = self.parent(path.as_ref())?;
        from_parent.hardlink(from_name, &parent, name)
    }

    /// Creates the FIFO, socket or device node `path`.
    pub fn mknod(&self, path: impl AsRef<Path>, kind: FileType, mode: u32, device: Dev) -> Result<()> {
        let (parent, name) = self.parent(path.as_ref())?;
        parent.mknod(name, kind, mode, device)
    }

    /// Removes `path`, which is not a directory; of a symlink, the symlink.
    pub fn unlink(&self, path: impl AsRef<Path>) -> Result<()> {
        let (parent, name) = self.parent(path.as_ref())?;
        parent.unlink(name)
    }

    /// Removes `path` with all that is below it. Nothing of that name is no error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CrossesMount`] if something is mounted below it: the contents of a mount are never removed.
    pub fn remove_all(&self, path: impl AsRef<Path>) -> Result<()> {
        let (parent, name) = self.parent(path.as_ref())?;
        parent.remove_all(name)
    }

    /// What `path` is.
    pub fn metadata(&self, path: impl AsRef<Path>, follow: Follow) -> Result<Metadata> {
        attributes::metadata(self.open_path(path, follow)?)
    }

    /// The target of the symlink `path`.
    pub fn read_link(&self, path: impl AsRef<Path>) -> Result<std::path::PathBuf> {
        let (parent, name) = self.parent(path.as_ref())?;
        parent.read_link(name).map(Into::into)
    }

    /// Sets owner and group of `path`; of a symlink, its own.
    pub fn set_owner(&self, path: impl AsRef<Path>, uid: u32, gid: u32) -> Result<()> {
        attributes::set_owner(self.open_path(path, Follow::No)?, uid, gid)
    }

    /// Sets the 12 mode bits of `path`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] for a symlink, which has none.
    pub fn set_mode(&self, path: impl AsRef<Path>, mode: u32) -> Result<()> {
        attributes::set_mode(self.open_path(path, Follow::No)?, mode)
    }

    /// Sets access and modification time of `path`; of a symlink, its own.
    pub fn set_times(&self, path: impl AsRef<Path>, times: &Timestamps) -> Result<()> {
        let (parent, name) = self.parent(path.as_ref())?;
        parent.set_times(name, times)
    }

    /// Opens the directory that `path` names something in, following symlinks inside the root, and splits the name off.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPath`] if the path is the root itself or ends in `..`.
    pub fn parent<'a>(&self, path: &'a Path) -> Result<(Dir, Name<'a>)> {
        let bytes = path.as_os_str().as_bytes();
        let end = bytes.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let start = bytes[..end].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let name = Name::new(&bytes[start..end]).map_err(|_| {
            Error::refused(ErrorKind::InvalidPath, format_args!("{} ends in no file name", Quoted(bytes)))
        })?;
        let above = match &bytes[..start] {
            b"" => Path::new("."),
            above => Path::new(std::ffi::OsStr::from_bytes(above)),
        };
        let dir = self.resolve(above, OFlags::PATH | OFlags::DIRECTORY).map(Dir::from_opened)?;
        Ok((dir, name))
    }

    fn resolve(&self, path: &Path, flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY;
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        // openat2 refuses flags that open(2) ignores: with O_PATH, the ones that concern opening.
        let flags = if flags.contains(OFlags::PATH) { flags - OFlags::NOCTTY } else { flags };
        let mut answer = Err(Errno::AGAIN);
        for _ in 0..RACE_TRIES {
            answer = rustix::fs::openat2(&self.0, path, flags, Mode::empty(), how);
            if !matches!(answer, Err(Errno::AGAIN | Errno::INTR)) {
                break;
            }
        }
        answer.map_err(|errno| {
            let path = Quoted(path.as_os_str().as_bytes());
            Error::call(
                errno,
                format_args!(
                    "openat2({}, {path}, {}, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS)",
                    Shown::new(&self.0),
                    Flags(flags)
                ),
            )
        })
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Creates a file under a name that nothing has.
fn create_temporary(parent: &Dir) -> Result<(OwnedFd, String)> {
    let mut salt = 0_u64;
    loop {
        let name = format!(".phial-{}-{salt}", std::process::id());
        match parent.create_file(Name::new(&name)?, 0o600) {
            Ok(file) => return Ok((file, name)),
            // A container can make any number of names in advance, but not of numbers that it cannot guess.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => salt = random()?,
            Err(error) => return Err(error),
        }
    }
}

fn random() -> Result<u64> {
    let mut bytes = [0_u8; 8];
    rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::call(errno, "getrandom(8 bytes)"))?;
    Ok(u64::from_ne_bytes(bytes))
}
