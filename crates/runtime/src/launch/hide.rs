//! Steps that hide files of the container from it. No allocation.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::console::is_null;
use super::held::Brief;
use super::mounting::{attach_to, copy_mount, is_directory};
use super::work::State;
use super::{classic, resolve};

/// Hides what is at a path, if anything is: a file behind the null device, a directory behind an empty one.
///
/// The null device is verified by its numbers, not by its name, which an image or a mount could have given to
/// something else (CVE-2025-31133).
pub(super) fn mask(state: &mut State<'_>, path: &CStr) -> rustix::io::Result<()> {
    state.parent = None;
    let root = state.root()?;
    let point = match resolve::open(root, path, OFlags::PATH) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    let directory = is_directory(point.as_fd())?;
    let cover = if directory { &state.empty } else { &state.null };
    let tree = match cover {
        Some(cover) => copy_mount(cover.as_fd(), false),
        None if directory => empty_directory(),
        None => null_device(root).and_then(|file| copy_mount(file.as_fd(), false)),
    };
    let tree = match tree {
        Err(Errno::NOSYS) => return mask_classic(root, point.as_fd(), directory),
        other => other?,
    };
    attach_to(tree.as_fd(), point.as_fd(), c"")?;
    let cover = if directory { &mut state.empty } else { &mut state.null };
    cover.get_or_insert(tree);
    Ok(())
}

fn mask_classic(root: BorrowedFd<'_>, point: BorrowedFd<'_>, directory: bool) -> rustix::io::Result<()> {
    if directory {
        return classic::mount_empty(point);
    }
    classic::bind(null_device(root)?.as_fd(), point, false)
}

fn null_device(root: BorrowedFd<'_>) -> rustix::io::Result<Brief> {
    let file = resolve::open(root, c"/dev/null", OFlags::PATH | OFlags::NOFOLLOW)?;
    if is_null(&file) { Ok(file) } else { Err(Errno::NODEV) }
}

fn empty_directory() -> rustix::io::Result<Brief> {
    let context = Brief::from(rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?);
    rustix::mount::fsconfig_set_string(context.as_fd(), c"source", c"tmpfs")?;
    rustix::mount::fsconfig_set_string(context.as_fd(), c"nr_inodes", c"2")?;
    rustix::mount::fsconfig_set_string(context.as_fd(), c"mode", c"755")?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).map(Brief::from)
}
