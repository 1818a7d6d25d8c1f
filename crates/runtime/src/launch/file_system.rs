//! Steps that build what the process sees as its file system. No allocation.
//!
//! Mount points are found with [`resolve`] and used by descriptor: nothing is mounted onto a path.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use sys::mount::{Change, Propagation, set_attributes};

use super::held::Root;
use super::mounting::{attach_to, is_directory, overlay};
use super::resolve::{self, Kind};
use super::source::Resource;
use super::work::State;
use super::{classic, mounting};
use crate::plan::Device;

/// Changes the propagation of every mount.
pub(super) fn propagate(kind: Propagation) -> rustix::io::Result<()> {
    let change = Change { propagation: Some(kind), recursive: true, ..Change::NONE };
    match set_attributes(CWD, c"/", &change) {
        Err(Errno::NOSYS) => classic::change_at(c"/", CWD, &change, false),
        other => other,
    }
}

/// Puts the root file system on a directory of the host; what comes back stands for it.
pub(super) fn attach_root<'a>(resource: &'a Resource, at: &CStr) -> rustix::io::Result<Root<'a>> {
    match resource {
        Resource::Descriptor(tree) => {
            attach_to(tree.as_fd(), CWD, at)?;
            return Ok(Root::Given(tree.as_fd()));
        }
        Resource::Overlay { options, directories } => {
            reopen(directories)?;
            overlay(options, at)?;
        }
        Resource::Path(path, _) => rustix::mount::mount_bind_recursive(path.as_c_str(), at)?,
        Resource::Link(_) | Resource::Mounts(_) | Resource::Ruleset(..) => return Err(Errno::BADF),
    }
    rustix::fs::open(at, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map(Root::Own)
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
///
/// `mounts` of the host are there if the root may be moved where it cannot be exchanged.
pub(super) fn enter_root(root: BorrowedFd<'_>, mounts: Option<&Resource>) -> rustix::io::Result<()> {
    rustix::process::fchdir(root)?;
    // With "." twice, the old root ends up on top of the new one, where it is unmounted without needing a place.
    match (rustix::process::pivot_root(c".", c"."), mounts) {
        (Ok(()), _) => rustix::mount::unmount(c".", UnmountFlags::DETACH)?,
        (Err(_), Some(Resource::Mounts(mounts))) => move_root(root, mounts)?,
        (Err(errno), _) => return Err(errno),
    }
    rustix::process::chdir(c"/")
}

/// Puts the root over the host's, which cannot be let go of when it is an initramfs, and lets go of all that is mounted in
/// that: /proc and /sys above all, because the kernel takes a bare one for the permission to mount another.
fn move_root(root: BorrowedFd<'_>, mounts: &[CString]) -> rustix::io::Result<()> {
    let host = super::work::open_root()?;
    match attach_to(root, host.as_fd(), c"") {
        Err(Errno::NOSYS) => rustix::mount::mount_move(c".", c"/")?,
        other => other?,
    }
    // Names from here on are those of the host's root, below the new one.
    rustix::process::fchdir(&host)?;
    for path in mounts {
        match rustix::mount::unmount(path.as_c_str(), UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) | Err(Errno::NOENT) => {}
            // In a user namespace the host's mounts stay together: then they are hidden.
            Err(_) => classic::cover(path)?,
        }
    }
    rustix::process::fchdir(root)?;
    rustix::process::chroot(c".")
}

/// Makes a device file. One that is just that already gets its mode and owner; anything else in its place is an error
/// (runtime-spec `config-linux.md`, "Devices").
pub(super) fn device<'a>(state: &mut State<'a>, device: &'a Device) -> rustix::io::Result<()> {
    let (directory, name) = state.parent_of(&device.path)?;
    let mode = Mode::from_raw_mode(device.mode);
    match rustix::fs::mknodat(directory, name, device.kind, mode, device.number) {
        Err(Errno::EXIST) => {
            let found = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if !is_device(&found, device) {
                return Err(Errno::EXIST);
            }
            if found.st_mode & 0o7777 != device.mode {
                rustix::fs::chmodat(directory, name, mode, AtFlags::empty())?;
            }
            if (found.st_uid, found.st_gid) == (device.uid, device.gid) {
                return Ok(());
            }
        }
        // This program itself is in a user namespace.
        Err(Errno::PERM) if device.kind != FileType::Fifo => {
            state.parent = None;
            return host_device(state.root()?, device);
        }
        other => other?,
    }
    if device.uid != 0 || device.gid != 0 {
        let owner = Some(rustix::fs::Uid::from_raw(device.uid));
        let group = Some(rustix::fs::Gid::from_raw(device.gid));
        rustix::fs::chownat(directory, name, owner, group, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// Whether a file is this device.
pub(super) fn is_device(found: &rustix::fs::Stat, device: &Device) -> bool {
    FileType::from_raw_mode(found.st_mode) == device.kind
        && (device.kind == FileType::Fifo || found.st_rdev == device.number)
}

/// Shows the host's device, if it is the same one.
fn host_device(root: BorrowedFd<'_>, device: &Device) -> rustix::io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::open(device.path.as_c_str(), flags, Mode::empty()) {
        Err(Errno::NOENT) => return Err(Errno::PERM),
        other => other?,
    };
    if !is_device(&rustix::fs::fstat(&file)?, device) {
        return Err(Errno::PERM);
    }
    mounting::bind_file(root, file.as_fd(), &device.path)
}

/// Makes a symbolic link unless something is there.
pub(super) fn link<'a>(state: &mut State<'a>, content: &CStr, path: &'a CStr) -> rustix::io::Result<()> {
    let (directory, name) = state.parent_of(path)?;
    match rustix::fs::symlinkat(content, directory, name) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

/// Makes a directory and those above it unless it exists.
pub(super) fn make_directory(root: BorrowedFd<'_>, path: &CStr) -> rustix::io::Result<()> {
    if path == c"/" {
        return Ok(());
    }
    let directory = resolve::open_or_make(root, path, Kind::Directory)?;
    if is_directory(directory.as_fd())? { Ok(()) } else { Err(Errno::NOTDIR) }
}

/// Changes to a directory, by descriptor, and makes sure that it lies in the container (CVE-2024-21626).
pub(super) fn change_directory(root: BorrowedFd<'_>, path: &CStr) -> rustix::io::Result<()> {
    if path == c"/" {
        return rustix::process::fchdir(root);
    }
    let directory = resolve::open(root, path, OFlags::PATH | OFlags::DIRECTORY)?;
    rustix::process::fchdir(&directory)?;
    if sys::exec::working_directory_is_reachable()? { Ok(()) } else { Err(Errno::XDEV) }
}
