//! The supervisor's program, in sealed memory (`memfd_create(2)`).
//!
//! A copy takes a millisecond and its size in memory. All supervisors of one build can run from one copy, so whoever
//! starts a further one looks for a running supervisor first and starts its program, which nothing can have changed.
//! Where there is none, a thread makes the copy while the store is opened and the container is made.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::PoisonError;
use std::thread::JoinHandle;

use runtime::protocol::{LOCK_DESCRIPTOR, LOCK_FILE, STATUS_FILE, Status};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, SealFlags};
use sys::signal::Set;

use crate::engine::{Engine, Options};
use crate::error::{Context, Result};

/// Running supervisors looked at before a copy is made: one of another build is rare.
const TRIES: usize = 4;

/// The program of a supervisor that is about to be started.
#[derive(Debug, Default)]
pub(crate) enum Program {
    /// It is looked for when it is needed.
    #[default]
    Later,
    /// A thread is at it.
    Coming(JoinHandle<Result<OwnedFd>>),
}

impl Program {
    /// Begins to look for the program, or to copy it, while something else is done. Signals are for others.
    pub(crate) fn begin(options: &Options) -> Program {
        let (containers, name, program) = (options.paths.run_containers(), name(options), options.runtime_program);
        let work = move || {
            Set::full().block();
            find_or_copy(&containers, &name, program)
        };
        std::thread::Builder::new().name("program".into()).spawn(work).map_or(Program::Later, Program::Coming)
    }
}

impl Engine {
    /// The supervisor's program, ready to be executed.
    ///
    /// # Errors
    /// `System` when memory is short.
    pub(crate) fn supervisor_program(&self) -> Result<OwnedFd> {
        match std::mem::take(&mut *self.program.lock().unwrap_or_else(PoisonError::into_inner)) {
            Program::Coming(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Program::Later => {
                let options = &self.options;
                find_or_copy(&options.paths.run_containers(), &name(options), options.runtime_program)
            }
        }
    }
}

fn name(options: &Options) -> String {
    format!("phial-runtime-{}", options.runtime_build)
}

fn find_or_copy(containers: &Path, name: &str, program: &[u8]) -> Result<OwnedFd> {
    let mut running = fs::read_dir(containers).into_iter().flatten().flatten().take(TRIES);
    if let Some(program) = running.find_map(|entry| running_program(&entry.path(), name)) {
        return Ok(program);
    }
    sys::memfd::sealed(name, program).context(|| "copying the supervisor into memory")
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
