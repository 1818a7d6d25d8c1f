//! Files of /proc, through a handle that no mount and no link of a container can lead elsewhere.
//!
//! What a container sees at /proc is its own affair: a volume may lie there (CVE-2019-16884), or something may be mounted
//! over one file for the moment of a write (CVE-2025-52881). So nothing is written by way of it. The parent makes a
//! procfs that is attached nowhere, in which nothing can be mounted; where it may not, it takes the host's and never
//! crosses a mount in there.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::error::{Error, Result};

/// The root directory of any procfs.
const ROOT_INODE: u64 = 1;

/// A procfs of the parent's pid namespace; `self` in it is whoever looks.
#[derive(Debug)]
pub(super) struct Procfs(OwnedFd);

impl Procfs {
    /// Opens it.
    pub(super) fn open() -> Result<Procfs> {
        let own = match detached() {
            // Without the privilege to mount, or without the calls.
            Err(Errno::PERM | Errno::NOSYS) => host(),
            other => other,
        };
        own.map(Procfs).map_err(|errno| {
            Error::system("procfs (for kernel parameters, labels and oomScoreAdj)", errno)
                .with_hint("this runtime may neither make one nor finds the host's on /proc")
        })
    }

    /// Writes a file, named without the leading `/proc/`. No allocation.
    pub(super) fn write(&self, path: &CStr, value: &[u8]) -> rustix::io::Result<()> {
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = loop {
            match rustix::fs::openat2(&self.0, path, flags, Mode::empty(), how) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => break other?,
            }
        };
        verify(file.as_fd())?;
        match rustix::io::write(&file, value)? {
            count if count == value.len() => Ok(()),
            _ => Err(Errno::INVAL),
        }
    }
}

impl AsFd for Procfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn detached() -> rustix::io::Result<OwnedFd> {
    let context = rustix::mount::fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn host() -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, c"/proc", flags, Mode::empty())?;
    verify(directory.as_fd())?;
    let found = rustix::fs::statat(&directory, c"", AtFlags::EMPTY_PATH)?;
    if found.st_ino == ROOT_INODE { Ok(directory) } else { Err(Errno::XDEV) }
}

fn verify(file: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let kind = rustix::fs::fstatfs(file)?.f_type;
    if kind == rustix::fs::PROC_SUPER_MAGIC { Ok(()) } else { Err(Errno::XDEV) }
}

/// A path of /proc without its beginning, for [`Procfs::write`]. No allocation.
pub(super) fn inside(path: &CStr) -> rustix::io::Result<&CStr> {
    let rest = path.to_bytes_with_nul().strip_prefix(b"/proc/").ok_or(Errno::INVAL)?;
    CStr::from_bytes_with_nul(rest).map_err(|_| Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_and_nothing_is_reached_through_links() {
        for open in [detached, host] {
            let procfs = Procfs(open().expect("tests run as root"));
            let score = std::fs::read("/proc/self/oom_score_adj").expect("reads");
            assert_eq!(procfs.write(c"self/oom_score_adj", &score), Ok(()));
            assert_eq!(procfs.write(c"self/root/tmp", b""), Err(Errno::LOOP));
            assert_eq!(procfs.write(c"../tmp/x", b""), Err(Errno::XDEV));
        }
    }

    #[test]
    fn paths_lose_their_beginning() {
        assert_eq!(inside(c"/proc/sys/net/x"), Ok(c"sys/net/x"));
        assert_eq!(inside(c"/sys/x"), Err(Errno::INVAL));
    }
}
