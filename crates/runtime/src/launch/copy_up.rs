//! A tmpfs that begins with the files it hides (`tmpcopyup`). No allocation.
//!
//! What is copied belongs to an image or a volume, so every file is opened without following a link, and is what it turns
//! out to be once it is open.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RawDir, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;

/// Directories within one another; each takes a buffer of the stack.
const DEEPEST: u32 = 256;
/// Bytes of entries that are read at once.
const ENTRIES: usize = 4096;

/// Copies everything in a directory, and its owner, into another one.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let from = open(from, c".", OFlags::DIRECTORY)?;
    let found = rustix::fs::fstat(&from)?;
    copy_entries(from.as_fd(), to, 0)?;
    own(to, c".", &found)?;
    set_times(to, c".", &found)
}

fn open(directory: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    // A fifo must not make us wait.
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

fn copy_entries(from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: u32) -> rustix::io::Result<()> {
    if depth == DEEPEST {
        return Err(Errno::NAMETOOLONG);
    }
    let mut buffer = [MaybeUninit::uninit(); ENTRIES];
    let mut entries = RawDir::new(from, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            copy_one(from, to, name, depth)?;
        }
    }
    Ok(())
}

fn copy_one(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, depth: u32) -> rustix::io::Result<()> {
    let found = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(found.st_mode & 0o7777);
    let kind = FileType::from_raw_mode(found.st_mode);
    match kind {
        FileType::Directory => {
            let source = open(from, name, OFlags::DIRECTORY)?;
            rustix::fs::mkdirat(to, name, Mode::from_raw_mode(0o700))?;
            let copy = open(to, name, OFlags::DIRECTORY)?;
            copy_entries(source.as_fd(), copy.as_fd(), depth + 1)?;
        }
        FileType::RegularFile => copy_file(from, to, name)?,
        FileType::Symlink => copy_link(from, to, name)?,
        // What a socket was bound to is not in its file.
        FileType::Socket => return Ok(()),
        kind => match rustix::fs::mknodat(to, name, kind, mode, found.st_rdev) {
            // In a user namespace there are no devices to be made.
            Err(Errno::PERM) => return Ok(()),
            other => other?,
        },
    }
    own(to, name, &found)?;
    if kind != FileType::Symlink {
        // After the owner, because a change of that takes set-user-ID away.
        rustix::fs::chmodat(to, name, mode, AtFlags::empty())?;
    }
    set_times(to, name, &found)
}

fn copy_file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
    /// Bytes of one call: what the kernel does at most.
    const MOST: usize = 0x7fff_f000;
    let source = open(from, name, OFlags::empty())?;
    if FileType::from_raw_mode(rustix::fs::fstat(&source)?.st_mode) != FileType::RegularFile {
        return Err(Errno::STALE);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::openat(to, name, flags, Mode::from_raw_mode(0o600))?;
    while rustix::fs::sendfile(&made, &source, None, MOST)? > 0 {}
    Ok(())
}

fn copy_link(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
    let mut content = [0; libc::PATH_MAX as usize];
    let last = content.len() - 1;
    rustix::fs::readlinkat_raw(from, name, &mut content[..last])?;
    let content = CStr::from_bytes_until_nul(&content).map_err(|_| Errno::NAMETOOLONG)?;
    rustix::fs::symlinkat(content, to, name)
}

fn own(directory: BorrowedFd<'_>, name: &CStr, found: &Stat) -> rustix::io::Result<()> {
    let (user, group) = (Some(Uid::from_raw(found.st_uid)), Some(Gid::from_raw(found.st_gid)));
    match rustix::fs::chownat(directory, name, user, group, AtFlags::SYMLINK_NOFOLLOW) {
        // What belongs to somebody whom this user namespace does not know becomes its root's.
        Err(Errno::INVAL | Errno::PERM) => Ok(()),
        other => other,
    }
}

fn set_times(directory: BorrowedFd<'_>, name: &CStr, found: &Stat) -> rustix::io::Result<()> {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or_default(),
    };
    let times = Timestamps {
        last_access: time(found.st_atime, found.st_atime_nsec),
        last_modification: time(found.st_mtime, found.st_mtime_nsec),
    };
    rustix::fs::utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn files_links_and_directories_are_copied_as_they_are() {
        let (source, target) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let path = source.path();
        std::fs::create_dir_all(path.join("a/b")).expect("made");
        std::fs::write(path.join("a/b/file"), "content").expect("written");
        std::fs::set_permissions(path.join("a/b/file"), PermissionsExt::from_mode(0o4751)).expect("changed");
        symlink("/etc/passwd", path.join("link")).expect("linked");
        for number in 0..300 {
            std::fs::write(path.join(format!("many-{number}")), "").expect("written");
        }
        let fd = |path: &std::path::Path| std::fs::File::open(path).expect("opens");
        copy(fd(path).as_fd(), fd(target.path()).as_fd()).expect("copied");
        let copied = target.path();
        assert_eq!(std::fs::read(copied.join("a/b/file")).expect("reads"), b"content");
        let (one, other) = (path.join("a/b/file").metadata(), copied.join("a/b/file").metadata());
        let (one, other) = (one.expect("is there"), other.expect("is there"));
        assert_eq!((one.mode(), one.mtime_nsec()), (other.mode(), other.mtime_nsec()));
        assert_eq!(std::fs::read_link(copied.join("link")).expect("a link").to_str(), Some("/etc/passwd"));
        assert_eq!(std::fs::read_dir(copied).expect("reads").count(), 302);
    }
}
