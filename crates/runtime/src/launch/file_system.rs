//! Steps that build what the process sees as its file system. No allocation.
//!
//! Mount points are found with [`resolve`] and used by descriptor: nothing is mounted onto a path.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};
use sys::mount::{Change, Propagation, set_attributes};

use super::child::State;
use super::resolve::{self, Kind};
use super::source::Resource;
use crate::plan::{Device, NewMount};

/// Changes the propagation of every mount.
pub(super) fn propagate(kind: Propagation) -> rustix::io::Result<()> {
    let change = Change { propagation: Some(kind), recursive: true, ..unchanged() };
    set_attributes(CWD, c"/", &change)
}

/// Puts the root file system on a directory of the host; what comes back stands for it.
pub(super) fn attach_root(resource: &Resource, at: &CStr) -> rustix::io::Result<OwnedFd> {
    match resource {
        Resource::Descriptor(tree) => {
            attach_to(tree.as_fd(), CWD, at)?;
            rustix::io::fcntl_dupfd_cloexec(tree, 0)
        }
        Resource::Overlay { options, directories } => {
            reopen(directories)?;
            rustix::mount::mount(c"overlay", at, c"overlay", MountFlags::empty(), options.as_c_str())?;
            rustix::fs::open(at, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        }
        Resource::Ruleset(..) => Err(Errno::BADF),
    }
}

/// Lets the numbers stand for the same directories in mounts of this process's own namespace: the parent's descriptors
/// belong to mounts of the host's, which overlayfs refuses as layers (`EINVAL`).
fn reopen(directories: &[(CString, OwnedFd)]) -> rustix::io::Result<()> {
    for (path, number) in directories {
        let own = rustix::fs::open(path.as_c_str(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        sys::exec::replace(number.as_fd(), own.as_fd())?;
    }
    Ok(())
}

/// Makes what was attached the root and lets go of everything that was there (`pivot_root(2)`).
pub(super) fn pivot_root(root: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::process::fchdir(root)?;
    // With "." twice, the old root ends up on top of the new one, where it is unmounted without needing a place.
    rustix::process::pivot_root(c".", c".")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")
}

/// Mounts a new file system. proc and sysfs go on a real directory only: through a link, what is later written to
/// `/proc` would go elsewhere (CVE-2019-19921, CVE-2023-27561).
pub(super) fn mount(root: BorrowedFd<'_>, mount: &NewMount) -> rustix::io::Result<()> {
    let context = rustix::mount::fsopen(mount.file_system.as_c_str(), FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in &mount.options {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(context.as_fd(), key.as_c_str(), value.as_c_str())?,
            None => rustix::mount::fsconfig_set_flag(context.as_fd(), key.as_c_str())?,
        }
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    let tree = rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, mount.attributes)?;
    if let Some(propagation) = mount.propagation {
        let change = Change { propagation: Some(propagation), ..unchanged() };
        set_attributes(tree.as_fd(), c"", &change)?;
    }
    let point = resolve::open_or_make(root, &mount.target, Kind::Directory)?;
    if [c"proc", c"sysfs"].contains(&mount.file_system.as_c_str()) {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY;
        resolve::open(root, &mount.target, flags)?;
    }
    attach_to(tree.as_fd(), point.as_fd(), c"")
}

/// Attaches a detached mount; the mount point is made to fit.
pub(super) fn attach(root: BorrowedFd<'_>, tree: BorrowedFd<'_>, target: &CStr) -> rustix::io::Result<()> {
    let kind = if is_directory(tree)? { Kind::Directory } else { Kind::File };
    let point = resolve::open_or_make(root, target, kind)?;
    attach_to(tree, point.as_fd(), c"")
}

fn attach_to(tree: BorrowedFd<'_>, point: BorrowedFd<'_>, path: &CStr) -> rustix::io::Result<()> {
    let mut flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    if path.is_empty() {
        flags |= MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    }
    rustix::mount::move_mount(tree, c"", point, path, flags)
}

/// Changes the mount at a path.
pub(super) fn remount(root: BorrowedFd<'_>, target: &CStr, change: &Change) -> rustix::io::Result<()> {
    let point = resolve::open(root, target, OFlags::PATH)?;
    set_attributes(point.as_fd(), c"", change)
}

/// Makes a device file, or leaves it if it is just that already.
pub(super) fn device(root: BorrowedFd<'_>, device: &Device) -> rustix::io::Result<()> {
    let (directory, name) = resolve::open_parent(root, &device.path)?;
    let make = || rustix::fs::mknodat(&directory, name, device.kind, Mode::from_raw_mode(device.mode), device.number);
    match make() {
        Err(Errno::EXIST) => {
            let found = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let same = FileType::from_raw_mode(found.st_mode) == device.kind && found.st_rdev == device.number;
            if same {
                return Ok(());
            }
            rustix::fs::unlinkat(&directory, name, AtFlags::empty())?;
            make()?;
        }
        other => other?,
    }
    if device.uid != 0 || device.gid != 0 {
        let owner = Some(rustix::fs::Uid::from_raw(device.uid));
        let group = Some(rustix::fs::Gid::from_raw(device.gid));
        rustix::fs::chownat(&directory, name, owner, group, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// Makes a symbolic link unless something is there.
pub(super) fn link(root: BorrowedFd<'_>, content: &CStr, path: &CStr) -> rustix::io::Result<()> {
    let (directory, name) = resolve::open_parent(root, path)?;
    match rustix::fs::symlinkat(content, &directory, name) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

/// Hides what is at a path, if anything is: a file behind the null device, a directory behind an empty one.
///
/// The null device is verified by its numbers, not by its name, which an image or a mount could have given to
/// something else (CVE-2025-31133).
pub(super) fn mask(state: &mut State, path: &CStr) -> rustix::io::Result<()> {
    let point = match resolve::open(state.root.as_fd(), path, OFlags::PATH) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    let cover = if is_directory(point.as_fd())? { &mut state.empty } else { &mut state.null };
    let tree = match cover {
        Some(cover) => copy_mount(cover.as_fd(), false)?,
        None if is_directory(point.as_fd())? => empty_directory()?,
        None => null_device(state.root.as_fd())?,
    };
    attach_to(tree.as_fd(), point.as_fd(), c"")?;
    let cover = if is_directory(point.as_fd())? { &mut state.empty } else { &mut state.null };
    cover.get_or_insert(tree);
    Ok(())
}

fn null_device(root: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    const NULL: (u32, u32) = (1, 3);
    let file = resolve::open(root, c"/dev/null", OFlags::PATH | OFlags::NOFOLLOW)?;
    let found = rustix::fs::fstat(&file)?;
    let numbers = (rustix::fs::major(found.st_rdev), rustix::fs::minor(found.st_rdev));
    if FileType::from_raw_mode(found.st_mode) != FileType::CharacterDevice || numbers != NULL {
        return Err(Errno::NODEV);
    }
    copy_mount(file.as_fd(), false)
}

fn empty_directory() -> rustix::io::Result<OwnedFd> {
    let context = rustix::mount::fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(context.as_fd(), c"source", c"tmpfs")?;
    rustix::mount::fsconfig_set_string(context.as_fd(), c"nr_inodes", c"2")?;
    rustix::mount::fsconfig_set_string(context.as_fd(), c"mode", c"755")?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Makes a path read-only by mounting it onto itself, if it exists.
pub(super) fn read_only(root: BorrowedFd<'_>, path: &CStr) -> rustix::io::Result<()> {
    let point = match resolve::open(root, path, OFlags::PATH) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        other => other?,
    };
    let tree = copy_mount(point.as_fd(), true)?;
    let change = Change { set: MountAttrFlags::MOUNT_ATTR_RDONLY, recursive: true, ..unchanged() };
    set_attributes(tree.as_fd(), c"", &change)?;
    attach_to(tree.as_fd(), point.as_fd(), c"")
}

/// A detached copy of what is mounted at a descriptor of this mount namespace.
pub(super) fn copy_mount(from: BorrowedFd<'_>, recursive: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(from, c"", flags)
}

/// Attaches a copy of a descriptor's file onto a path, which is made if it is missing.
pub(super) fn bind_file(root: BorrowedFd<'_>, from: BorrowedFd<'_>, target: &CStr) -> rustix::io::Result<()> {
    let point = resolve::open_or_make(root, target, Kind::File)?;
    let tree = copy_mount(from, false)?;
    attach_to(tree.as_fd(), point.as_fd(), c"")
}

/// Makes a directory and those above it unless it exists.
pub(super) fn make_directory(root: BorrowedFd<'_>, path: &CStr) -> rustix::io::Result<()> {
    let directory = resolve::open_or_make(root, path, Kind::Directory)?;
    if is_directory(directory.as_fd())? { Ok(()) } else { Err(Errno::NOTDIR) }
}

/// Changes to a directory, by descriptor, and makes sure that it lies in the container (CVE-2024-21626).
pub(super) fn change_directory(root: BorrowedFd<'_>, path: &CStr) -> rustix::io::Result<()> {
    let directory = resolve::open(root, path, OFlags::PATH | OFlags::DIRECTORY)?;
    rustix::process::fchdir(&directory)?;
    if sys::exec::working_directory_is_reachable()? { Ok(()) } else { Err(Errno::XDEV) }
}

fn is_directory(descriptor: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    let found = rustix::fs::fstat(descriptor)?;
    Ok(FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

fn unchanged() -> Change {
    let none = MountAttrFlags::empty();
    Change { set: none, clear: none, propagation: None, recursive: false }
}
