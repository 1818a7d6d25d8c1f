//! Roots of containers without a mount namespace of their own. They are mounted where everybody sees them, and nothing
//! but this program takes them away again: with the container, by the number that the kernel gave the mount.

use std::os::fd::OwnedFd;
use std::path::Path;

use runtime::plan::Plan;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags};
use rustix::mount::UnmountFlags;
use sys::clone::namespace;

use crate::container::Saved;
use crate::failure::{Failure, Result};

/// The mount that a directory is on (`statx(2)`).
pub(super) fn id(directory: &Path) -> Option<u64> {
    let found = rustix::fs::statx(CWD, directory, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?;
    Some(found.stx_mnt_id)
}

/// The mount of a container's root, if it is among the host's.
pub(super) fn of(plan: &Plan, rootfs: &Path) -> Option<u64> {
    if plan.all_namespaces() & namespace::MOUNT == 0 { id(rootfs) } else { None }
}

/// Takes away what a container mounted that was not made; `before` is what was there.
pub(super) fn remove_new(plan: &Plan, rootfs: &Path, before: Option<u64>) {
    let now = of(plan, rootfs);
    if now.is_some() && now != before {
        unmount(rootfs);
    }
}

/// Takes a container's root away, unless somebody else has.
pub(super) fn remove(saved: &Saved) {
    if saved.root_mount.is_some() && saved.root_mount == id(&saved.rootfs) {
        unmount(&saved.rootfs);
    }
}

fn unmount(rootfs: &Path) {
    // With all that is mounted in it. What somebody keeps busy goes when he does.
    rustix::mount::unmount(rootfs, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).ok();
}

/// What a further process must make its root, because no mount namespace does.
pub(super) fn root_of(saved: &Saved) -> Result<Option<OwnedFd>> {
    if saved.namespaces & namespace::MOUNT != 0 {
        return Ok(None);
    }
    let path = format!("/proc/{}/root", saved.init_process_pid);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(&path, flags, Mode::empty()).map_err(|errno| Failure::system(path, errno))?;
    Ok(Some(root))
}
