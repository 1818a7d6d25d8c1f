//! `mount_setattr(2)`.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

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
}

/// A change of the attributes of a mount.
#[derive(Debug, Clone, Copy)]
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
    let attr = MountAttr {
        set: u64::from(change.set.bits()),
        clear: u64::from(change.clear.bits()),
        propagation: change.propagation.map_or(0, Propagation::bits),
        userns: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if change.recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path is a C string, attr has the size given; both outlive the call.
    #[expect(unsafe_code, reason = "no library wraps mount_setattr")]
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory.as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(crate::exec::last_errno()) }
}
