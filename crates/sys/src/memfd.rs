//! Anonymous files whose content can never change again.
//!
//! A program that runs from such a file cannot be overwritten through `/proc/PID/exe` by what it starts
//! (CVE-2019-5736).

use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

/// Copies `content` into a new memfd and seals it against writing, growing, shrinking and unsealing.
/// `name` shows in `/proc/PID/exe` as `/memfd:name (deleted)`.
///
/// # Errors
/// `ENOMEM` and `EMFILE`, as of `memfd_create(2)`; `ENOSPC` when memory runs out while it is filled.
pub fn sealed(name: &str, content: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // MFD_EXEC says that this is meant to be executable, which sysctl vm.memfd_noexec may require; unknown before 6.3.
    let file = match memfd_create(name, flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => memfd_create(name, flags)?,
        other => other?,
    };
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}
