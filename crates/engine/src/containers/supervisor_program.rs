//! The supervisor's program, in sealed memory (`memfd_create(2)`).
//!
//! A copy takes a millisecond and its size in memory. All supervisors of one build can run from one copy, so whoever
//! starts a further one looks for a running supervisor first and starts its program, which nothing can have changed.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use runtime::protocol::{LOCK_DESCRIPTOR, LOCK_FILE, STATUS_FILE, Status};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, SealFlags};

use crate::engine::Engine;
use crate::error::{Context, Result};

/// Running supervisors looked at before a copy is made: one of another build is rare.
const TRIES: usize = 4;

impl Engine {
    /// The supervisor's program, ready to be executed.
    ///
    /// # Errors
    /// `System` when memory is short.
    pub(crate) fn supervisor_program(&self) -> Result<OwnedFd> {
        let name = format!("phial-runtime-{}", self.options.runtime_build);
        let mut running = fs::read_dir(self.paths().run_containers()).into_iter().flatten().flatten().take(TRIES);
        if let Some(program) = running.find_map(|entry| running_program(&entry.path(), &name)) {
            return Ok(program);
        }
        sys::memfd::sealed(&name, self.options.runtime_program).context(|| "copying the supervisor into memory")
    }
}

/// The program of the supervisor of the container in `directory`, if it runs and is of this build.
///
/// The process is believed to be the supervisor because it holds the container's lock open, which nothing else does
/// that lives as long; a pid alone could have been given to somebody else.
fn running_program(directory: &Path, name: &str) -> Option<OwnedFd> {
    let status: Status = serde_json::from_slice(&fs::read(directory.join(STATUS_FILE)).ok()?).ok()?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let process = rustix::fs::open(format!("/proc/{}", status.supervisor), flags, Mode::empty()).ok()?;
    let held = rustix::fs::statat(&process, format!("fd/{LOCK_DESCRIPTOR}"), AtFlags::empty()).ok()?;
    let lock = rustix::fs::statat(CWD, directory.join(LOCK_FILE), AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let link = rustix::fs::readlinkat(&process, "exe", Vec::new()).ok()?;
    if (held.st_dev, held.st_ino) != (lock.st_dev, lock.st_ino)
        || link.to_bytes() != format!("/memfd:{name} (deleted)").as_bytes()
    {
        return None;
    }
    let program = rustix::fs::openat(&process, "exe", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let sealed = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_get_seals(program.as_fd()).ok()?.contains(sealed).then_some(program)
}
