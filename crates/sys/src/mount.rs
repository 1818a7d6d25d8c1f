//! `mount_setattr(2)`, and what `mount(2)` calls the same things.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags, MountPropagationFlags, OpenTreeFlags};

/// How mount events travel between a mount and its copies, see `mount_namespaces(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Neither receives nor sends.
    Private,
    /// Receives only.
    Slave,
    /// Receives and sends.
    Shared,
    /// Private, and cannot be bind mounted.
    Unbindable,
}

impl Propagation {
    fn bits(self) -> u64 {
        match self {
            Propagation::Private => libc::MS_PRIVATE,
            Propagation::Slave => libc::MS_SLAVE,
            Propagation::Shared => libc::MS_SHARED,
            Propagation::Unbindable => libc::MS_UNBINDABLE,
        }
    }

    /// The same for `mount(2)`.
    pub fn flags(self) -> MountPropagationFlags {
        match self {
            Propagation::Private => MountPropagationFlags::PRIVATE,
            Propagation::Slave => MountPropagationFlags::DOWNSTREAM,
            Propagation::Shared => MountPropagationFlags::SHARED,
            Propagation::Unbindable => MountPropagationFlags::UNBINDABLE,
        }
    }
}

/// A change of the attributes of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Attributes to switch on.
    pub set: MountAttrFlags,
    /// Attributes to switch off.
    pub clear: MountAttrFlags,
    /// A new propagation, if any.
    pub propagation: Option<Propagation>,
    /// Whether the mounts below are changed too.
    pub recursive: bool,
}

impl Change {
    /// No change, of the mount alone.
    pub const NONE: Change =
        Change { set: MountAttrFlags::empty(), clear: MountAttrFlags::empty(), propagation: None, recursive: false };

    /// Whether it changes anything.
    pub fn is_none(&self) -> bool {
        self.set.is_empty() && self.clear.is_empty() && self.propagation.is_none()
    }

    fn attributes(&self) -> MountAttr {
        MountAttr {
            set: u64::from(self.set.bits()),
            clear: u64::from(self.clear.bits()),
            propagation: self.propagation.map_or(0, Propagation::bits),
            userns: 0,
        }
    }
}

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Changes the mount at `path` below `directory`, or `directory` itself with an empty path. No allocation.
///
/// # Errors
/// Those of `mount_setattr(2)`: `EINVAL` when the path is no mount, `ENOSYS` before Linux 5.12.
pub fn set_attributes(directory: BorrowedFd<'_>, path: &CStr, change: &Change) -> Result<(), Errno> {
    set_attr(directory, path, change.recursive, &change.attributes())
}

/// A detached copy of what is mounted at a path, changed in the same call: `open_tree_attr(2)`, Linux 6.15. If the flags
/// ask for a copy of the mounts below, the change is of all of them. No allocation.
///
/// # Errors
/// Those of `open_tree(2)` and `mount_setattr(2)`, which do the same in two calls; `ENOSYS` on older kernels.
pub fn open_tree_changed(
    directory: BorrowedFd<'_>,
    path: &CStr,
    flags: OpenTreeFlags,
    change: &Change,
) -> Result<OwnedFd, Errno> {
    /// The same number on every architecture.
    const OPEN_TREE_ATTR: libc::c_long = 467;
    let attr = change.attributes();
    // SAFETY: path is a C string, attr has the size given; both outlive the call.
    #[expect(unsafe_code, reason = "no library wraps open_tree_attr")]
    let result = unsafe {
        libc::syscall(
            OPEN_TREE_ATTR,
            directory.as_raw_fd(),
            path.as_ptr(),
            flags.bits() | libc::OPEN_TREE_CLONE,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    let number = i32::try_from(result).ok().filter(|number| *number >= 0).ok_or_else(crate::exec::last_errno)?;
    // SAFETY: the kernel has just made it, and nobody else knows it.
    #[expect(unsafe_code, reason = "a descriptor from a raw call")]
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Has a detached mount show the ids of its files as the maps of a user namespace say: what is `a` on the disk is shown as
/// the `b` that the namespace maps `a` to (`mount_setattr(2)`, "ID-mapped mounts").
///
/// # Errors
/// `EINVAL` when the file system cannot (or the mount is mapped already), `EPERM` without privilege over it or for a
/// namespace that is the initial one, `ENOSYS` before Linux 5.12.
pub fn map_ids(mount: BorrowedFd<'_>, namespace: BorrowedFd<'_>, recursive: bool) -> Result<(), Errno> {
    let attr = MountAttr {
        set: u64::from(MountAttrFlags::MOUNT_ATTR_IDMAP.bits()),
        clear: 0,
        propagation: 0,
        userns: u64::try_from(namespace.as_raw_fd()).unwrap_or_default(),
    };
    set_attr(mount, c"", recursive, &attr)
}

fn set_attr(directory: BorrowedFd<'_>, path: &CStr, recursive: bool, attr: &MountAttr) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path is a C string, attr has the size given; both outlive the call.
    #[expect(unsafe_code, reason = "no library wraps mount_setattr")]
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory.as_raw_fd(),
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(crate::exec::last_errno()) }
}

/// Attributes as flags of `mount(2)`, which has its own numbers for some. No allocation.
pub fn classic_flags(attributes: MountAttrFlags) -> MountFlags {
    use MountAttrFlags as Attr;
    let pairs = [
        (Attr::MOUNT_ATTR_RDONLY, MountFlags::RDONLY),
        (Attr::MOUNT_ATTR_NOSUID, MountFlags::NOSUID),
        (Attr::MOUNT_ATTR_NODEV, MountFlags::NODEV),
        (Attr::MOUNT_ATTR_NOEXEC, MountFlags::NOEXEC),
        (Attr::MOUNT_ATTR_NOATIME, MountFlags::NOATIME),
        (Attr::MOUNT_ATTR_STRICTATIME, MountFlags::STRICTATIME),
        (Attr::MOUNT_ATTR_NODIRATIME, MountFlags::NODIRATIME),
        (Attr::MOUNT_ATTR_NOSYMFOLLOW, MountFlags::NOSYMFOLLOW),
    ];
    let named = pairs.into_iter().filter(|(attribute, _)| attributes.contains(*attribute));
    named.fold(MountFlags::empty(), |flags, (_, flag)| flags | flag)
}

/// Attributes that a mount has, as `statvfs(2)` tells them. No allocation.
///
/// # Errors
/// Those of `statfs(2)`.
pub fn attributes(mount: BorrowedFd<'_>) -> Result<MountAttrFlags, Errno> {
    use MountAttrFlags as Attr;
    let bits = rustix::fs::fstatvfs(mount)?.f_flag.bits();
    let pairs = [
        (libc::ST_RDONLY, Attr::MOUNT_ATTR_RDONLY),
        (libc::ST_NOSUID, Attr::MOUNT_ATTR_NOSUID),
        (libc::ST_NODEV, Attr::MOUNT_ATTR_NODEV),
        (libc::ST_NOEXEC, Attr::MOUNT_ATTR_NOEXEC),
        (libc::ST_NOATIME, Attr::MOUNT_ATTR_NOATIME),
        (libc::ST_NODIRATIME, Attr::MOUNT_ATTR_NODIRATIME),
        (ST_NOSYMFOLLOW, Attr::MOUNT_ATTR_NOSYMFOLLOW),
    ];
    let named = pairs.into_iter().filter(|(bit, _)| bits & bit != 0);
    let mut attributes = named.fold(Attr::empty(), |all, (_, attribute)| all | attribute);
    if bits & (libc::ST_NOATIME | ST_RELATIME) == 0 {
        attributes |= Attr::MOUNT_ATTR_STRICTATIME;
    }
    Ok(attributes)
}

/// `ST_RELATIME`, which musl's headers do not have.
const ST_RELATIME: u64 = 0x1000;
/// `ST_NOSYMFOLLOW` of Linux 5.10.
const ST_NOSYMFOLLOW: u64 = 0x2000;
