//! Out of a container's reach. A container's process is a copy of this one until it becomes its program, and through
//! `/proc/self/exe` it could get hold of what this one runs from (CVE-2019-5736): that must be nothing of the host's.
//!
//! Where the kernel allows it, this process leaves its file, which costs next to nothing. Elsewhere (without root, on a
//! kernel without `CONFIG_CHECKPOINT_RESTORE`) it starts itself anew from a sealed copy in memory.

use std::ffi::CString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;

use rustix::fs::SealFlags;
use sys::exec::StringArray;

use crate::failure::{Failure, Result};

/// Returns once this process runs from nothing of the host's; for that it may start anew.
///
/// # Errors
/// `/proc` is not there, or memory is short.
pub(crate) fn ensure() -> Result<()> {
    if sys::program::leave_file().is_ok() {
        return Ok(());
    }
    start_from_memory()
}

fn start_from_memory() -> Result<()> {
    const PATH: &str = "/proc/self/exe";
    let failed = |cause: &dyn std::fmt::Display| Failure::system(PATH, cause);
    let file = File::open(PATH).map_err(|error| failed(&error))?;
    let wanted = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    if rustix::fs::fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(wanted)) {
        return Ok(());
    }
    let content = std::fs::read(PATH).map_err(|error| failed(&error))?;
    let copy = sys::memfd::sealed("phial-runtime", &content).map_err(|errno| failed(&errno))?;
    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(|error| failed(&error));
    let arguments = std::env::args_os().map(|word| text(word.into_vec())).collect::<Result<_>>()?;
    let variables = std::env::vars_os().map(|(name, value)| text([name.into_vec(), value.into_vec()].join(&b'=')));
    let environment = variables.collect::<Result<_>>()?;
    let errno = sys::exec::execveat(
        std::os::fd::AsFd::as_fd(&copy),
        &StringArray::new(arguments),
        &StringArray::new(environment),
    );
    Err(Failure::system("executing the copy in memory", errno))
}
