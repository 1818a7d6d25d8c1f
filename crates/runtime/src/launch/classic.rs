//! Mounts by `mount(2)`: for kernels (and filters) that have no `fsopen(2)`, `open_tree(2)` or `mount_setattr(2)`, and for
//! what those cannot say. No allocation.
//!
//! Both ends are named through `/proc/self/fd`, which is the host's /proc until the root is entered, so that a mount goes
//! where the descriptor is and not where a path leads by then.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags};
use sys::mount::{Change, classic_flags};

use super::held::Brief;
use super::resolve;
use crate::plan::Classic;

/// `/proc/self/fd/N`.
struct FdPath([u8; FdPath::SIZE]);

impl FdPath {
    const PREFIX: &'static [u8] = b"/proc/self/fd/";
    /// With the digits of any descriptor and a terminating zero.
    const SIZE: usize = FdPath::PREFIX.len() + 11;

    fn of(descriptor: BorrowedFd<'_>) -> FdPath {
        let mut path = FdPath([0; FdPath::SIZE]);
        path.0[..FdPath::PREFIX.len()].copy_from_slice(FdPath::PREFIX);
        let mut number = descriptor.as_raw_fd().unsigned_abs();
        let mut digits = [0; 10];
        let mut first = digits.len();
        loop {
            first -= 1;
            // A digit.
            digits[first] = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
            if number == 0 {
                break;
            }
        }
        let digits = &digits[first..];
        path.0[FdPath::PREFIX.len()..][..digits.len()].copy_from_slice(digits);
        path
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

/// Mounts a new file system on a directory.
pub(super) fn mount(kind: &CStr, new: &Classic, data: &CStr, point: BorrowedFd<'_>) -> rustix::io::Result<()> {
    // An empty source is one to some file systems.
    let source = if new.source.is_empty() { kind } else { new.source.as_c_str() };
    rustix::mount::mount(source, FdPath::of(point).as_c_str(), kind, new.flags, data)
}

/// Mounts an empty read-only directory.
pub(super) fn mount_empty(point: BorrowedFd<'_>) -> rustix::io::Result<()> {
    cover(FdPath::of(point).as_c_str())
}

/// The same at a path.
pub(super) fn cover(path: &CStr) -> rustix::io::Result<()> {
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount(c"tmpfs", path, c"tmpfs", flags, c"nr_inodes=2,mode=755")
}

/// Shows at `point` what is at `from`.
pub(super) fn bind(from: BorrowedFd<'_>, point: BorrowedFd<'_>, recursive: bool) -> rustix::io::Result<()> {
    let (from, point) = (FdPath::of(from), FdPath::of(point));
    if recursive {
        rustix::mount::mount_bind_recursive(from.as_c_str(), point.as_c_str())
    } else {
        rustix::mount::mount_bind(from.as_c_str(), point.as_c_str())
    }
}

/// What is mounted at a path by now; the descriptor it was mounted on still stands for what is below.
pub(super) fn top(root: BorrowedFd<'_>, target: &CStr, flags: OFlags) -> rustix::io::Result<Brief> {
    resolve::open(root, target, OFlags::PATH | flags)
}

/// Changes a mount. Attributes of mounts below it cannot be changed this way: `ENOSYS`.
pub(super) fn change(mount: BorrowedFd<'_>, change: &Change, single: bool) -> rustix::io::Result<()> {
    change_at(FdPath::of(mount).as_c_str(), mount, change, single)
}

/// As [`change`], by a path that leads to the mount.
pub(super) fn change_at(path: &CStr, mount: BorrowedFd<'_>, change: &Change, single: bool) -> rustix::io::Result<()> {
    if !(change.set.is_empty() && change.clear.is_empty()) {
        if change.recursive && !single {
            return Err(Errno::NOSYS);
        }
        // What is not named is switched off by a remount.
        let attributes = (sys::mount::attributes(mount)? - change.clear) | change.set;
        rustix::mount::mount_remount(path, MountFlags::BIND | classic_flags(attributes), c"")?;
    }
    if let Some(propagation) = change.propagation {
        let recursive = if change.recursive { MountPropagationFlags::REC } else { MountPropagationFlags::empty() };
        rustix::mount::mount_change(path, propagation.flags() | recursive)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_descriptor_is_named_by_its_number() {
        let null = std::fs::File::open("/dev/null").expect("it opens");
        let expected = format!("/proc/self/fd/{}", null.as_raw_fd());
        assert_eq!(FdPath::of(null.as_fd()).as_c_str().to_str(), Ok(expected.as_str()));
        assert_eq!(FdPath::of(rustix::stdio::stdin()).as_c_str(), c"/proc/self/fd/0");
    }
}
