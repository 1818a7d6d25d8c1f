//! Owner, mode, times and extended attributes of what is already open. Never takes a path.
//!
//! A descriptor may be `O_PATH`, for which `fchmod(2)` and `fsetxattr(2)` answer EBADF: those calls then go through the
//! descriptor's own entry in `/proc/self/fd`, which leads to the open file itself, symlink or not.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{
    AtFlags, Dev, FileType, Gid, Mode, OFlags, PROC_SUPER_MAGIC, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use crate::error::{Flags, Quoted, Shown};
use crate::{Error, ErrorKind, Result};

/// What `stat(2)` tells about one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Regular file, directory, symlink, …
    pub file_type: FileType,
    /// Permission bits with setuid, setgid and sticky: 12 bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of contents; of a symlink, of its target.
    pub size: u64,
    /// Number of names.
    pub links: u64,
    /// The file system.
    pub device: Dev,
    /// The file in it.
    pub inode: u64,
    /// The device that a device node stands for.
    pub special_device: Dev,
    /// Time of the last change of the contents.
    pub modified: Timespec,
    /// Time of the last change of anything about it, which nobody can set.
    pub changed: Timespec,
}

impl Metadata {
    /// True for a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type == FileType::Directory
    }

    /// True for a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type == FileType::RegularFile
    }

    /// True for a symlink.
    pub fn is_symlink(&self) -> bool {
        self.file_type == FileType::Symlink
    }

    /// True if both are the same file: device and inode agree.
    pub fn same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl From<Stat> for Metadata {
    #[cfg_attr(
        target_arch = "x86_64",
        expect(clippy::useless_conversion, reason = "the count of links is narrower on other architectures")
    )]
    fn from(stat: Stat) -> Self {
        Self {
            file_type: FileType::from_raw_mode(stat.st_mode),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: stat.st_size.unsigned_abs(),
            links: u64::from(stat.st_nlink),
            device: stat.st_dev,
            inode: stat.st_ino,
            special_device: stat.st_rdev,
            modified: Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() },
            changed: Timespec { tv_sec: stat.st_ctime, tv_nsec: stat.st_ctime_nsec.cast_signed() },
        }
    }
}

/// What `fd` is.
pub fn metadata(fd: impl AsFd) -> Result<Metadata> {
    match rustix::fs::fstat(&fd) {
        Ok(stat) => Ok(stat.into()),
        Err(errno) => Err(Error::call(errno, format_args!("fstat({})", Shown::new(&fd)))),
    }
}

/// The target of the symlink that `fd` is open as, with `O_PATH`.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] if it is no symlink.
pub fn link_target(fd: impl AsFd) -> Result<std::ffi::OsString> {
    match rustix::fs::readlinkat(&fd, "", Vec::new()) {
        Ok(target) => Ok(std::os::unix::ffi::OsStringExt::from_vec(target.into_bytes())),
        Err(errno) => Err(Error::call(errno, format_args!("readlinkat({}, \"\")", Shown::new(&fd)))),
    }
}

/// Sets the owner and group of `fd`. Clears setuid and setgid bits and capabilities, as every chown does.
pub fn set_owner(fd: impl AsFd, uid: u32, gid: u32) -> Result<()> {
    let (owner, group) = ids(uid, gid)?;
    rustix::fs::chownat(&fd, "", Some(owner), Some(group), AtFlags::EMPTY_PATH).map_err(|errno| {
        Error::call(errno, format_args!("fchownat({}, \"\", {uid}, {gid}, AT_EMPTY_PATH)", Shown::new(&fd)))
    })
}

/// The ids as the kernel's interface takes them. Its -1 means "leave as it is", and is nobody's id.
pub(crate) fn ids(uid: u32, gid: u32) -> Result<(Uid, Gid)> {
    if uid == u32::MAX || gid == u32::MAX {
        return Err(Error::refused(ErrorKind::Unsupported, format_args!("{uid}:{gid} cannot own a file")));
    }
    Ok((Uid::from_raw(uid), Gid::from_raw(gid)))
}

/// Sets the 12 mode bits of `fd`.
pub fn set_mode(fd: impl AsFd, mode: u32) -> Result<()> {
    let bits = Mode::from_raw_mode(mode);
    let answer = match rustix::fs::fchmod(&fd, bits) {
        Err(Errno::BADF) => rustix::fs::chmod(proc_path(fd.as_fd())?, bits),
        answer => answer,
    };
    answer.map_err(|errno| Error::call(errno, format_args!("fchmod({}, {mode:#o})", Shown::new(&fd))))
}

/// Sets access and modification time of `fd`, which must not be `O_PATH`.
pub fn set_times(fd: impl AsFd, times: &Timestamps) -> Result<()> {
    rustix::fs::futimens(&fd, times).map_err(|errno| {
        Error::call(errno, format_args!("futimens({}, {})", Shown::new(&fd), times.last_modification.tv_sec))
    })
}

/// Sets the extended attribute `key` of `fd`, replacing what is there.
pub fn set_xattr(fd: impl AsFd, key: &[u8], value: &[u8]) -> Result<()> {
    let answer = match rustix::fs::fsetxattr(&fd, key, value, XattrFlags::empty()) {
        Err(Errno::BADF) => rustix::fs::setxattr(proc_path(fd.as_fd())?, key, value, XattrFlags::empty()),
        answer => answer,
    };
    answer.map_err(|errno| {
        let size = value.len();
        Error::call(errno, format_args!("fsetxattr({}, {}, {size} bytes)", Shown::new(&fd), Quoted(key)))
    })
}

/// Reads the extended attribute `key` of `fd`; none if it has none of that name, or its file system has none at all.
///
/// The kernel allows no value of more than 64 KiB.
pub fn xattr(fd: impl AsFd, key: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut value = vec![0; 65536];
    let answer = match rustix::fs::fgetxattr(&fd, key, value.as_mut_slice()) {
        Err(Errno::BADF) => rustix::fs::getxattr(proc_path(fd.as_fd())?, key, value.as_mut_slice()),
        answer => answer,
    };
    match answer {
        Ok(size) => {
            value.truncate(size);
            Ok(Some(value))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(errno) => Err(Error::call(errno, format_args!("fgetxattr({}, {})", Shown::new(&fd), Quoted(key)))),
    }
}

/// The names of all extended attributes of `fd`, sorted.
pub fn xattr_names(fd: impl AsFd) -> Result<Vec<Vec<u8>>> {
    // Most files have none or few, and then nothing is allocated.
    let mut few = [0; 256];
    match list_xattrs(fd.as_fd(), &mut few) {
        Err(Errno::RANGE) => {}
        answer => return answer.map(|size| sorted(&few[..size])).map_err(|errno| not_listed(errno, &fd)),
    }
    let mut many = vec![0; 65536];
    let answer = list_xattrs(fd.as_fd(), &mut many);
    answer.map(|size| sorted(&many[..size])).map_err(|errno| not_listed(errno, &fd))
}

/// Bytes of the list; 0 where the file system has no attributes.
fn list_xattrs(fd: BorrowedFd<'_>, list: &mut [u8]) -> std::result::Result<usize, Errno> {
    let answer = match rustix::fs::flistxattr(fd, &mut *list) {
        // A path that cannot be used says so in its own call.
        Err(Errno::BADF) => rustix::fs::listxattr(proc_path(fd).map_err(|_| Errno::BADF)?, list),
        answer => answer,
    };
    if answer == Err(Errno::OPNOTSUPP) { Ok(0) } else { answer }
}

fn not_listed(errno: Errno, fd: impl AsFd) -> Error {
    Error::call(errno, format_args!("flistxattr({})", Shown::new(&fd)))
}

fn sorted(list: &[u8]) -> Vec<Vec<u8>> {
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let mut names: Vec<_> = names.map(<[u8]>::to_vec).collect();
    names.sort();
    names
}

/// Opens again, with `flags`, what `fd` stands for: the way from an `O_PATH` descriptor that was looked at to one
/// that can be read. Never leads to another file.
///
/// # Errors
///
/// [`ErrorKind::Symlink`] for a symlink, which cannot be opened.
pub fn reopen(fd: impl AsFd, flags: OFlags) -> Result<std::os::fd::OwnedFd> {
    let path = proc_path(fd.as_fd())?;
    rustix::fs::open(path.as_str(), flags | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())
        .map_err(|errno| Error::call(errno, format_args!("open({path}, {}) of {}", Flags(flags), Shown::new(&fd))))
}

/// Refuses flags with which an open creates: the calls that open have no mode to create with.
pub(crate) fn refuse_creation(flags: OFlags) -> Result<()> {
    if flags.intersects(OFlags::CREATE) || flags.contains(OFlags::TMPFILE) {
        return Err(Error::refused(ErrorKind::Unsupported, format_args!("{} does not only open", Flags(flags))));
    }
    Ok(())
}

/// The name under which procfs knows `fd`.
fn proc_path(fd: BorrowedFd<'_>) -> Result<String> {
    let directory = "/proc/self/fd";
    // A /proc that is no procfs holds symlinks of whoever made it, and these calls follow them.
    let answer = rustix::fs::statfs(directory).map_err(|errno| Error::call(errno, "statfs(\"/proc/self/fd\")"))?;
    if answer.f_type != PROC_SUPER_MAGIC {
        return Err(Error::refused(ErrorKind::Unsupported, "/proc is not a proc file system"));
    }
    Ok(format!("{directory}/{}", fd.as_raw_fd()))
}
