//! A container's supervisor, from its program to a process that waits to be told what to do.
//!
//! Neither needs the store or the container: whoever knows that he will start one begins with its supervisor
//! ([`Engine::open_to_start`](crate::Engine::open_to_start)), which is another process's work from then on. One that is
//! never told anything ends with its starter.
//!
//! Its program is in sealed memory (`memfd_create(2)`), so that nothing in a container can ever overwrite a file of the host
//! through it (CVE-2019-5736). A copy takes a millisecond and its size in memory, but all supervisors of one build can run
//! from one: so a running one is looked for first, whose program nothing can have changed.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::thread::JoinHandle;

use runtime::protocol::{LOCK_DESCRIPTOR, LOCK_FILE, STATUS_FILE, Status};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, SealFlags};
use sys::signal::Set;

use crate::engine::{Engine, Options};
use crate::error::{Context, Result};

/// Running supervisors looked at before a copy is made: one of another build is rare.
const TRIES: usize = 4;

/// The connection to a supervisor that has nothing to do yet.
#[derive(Debug, Default)]
pub(crate) enum Supervisor {
    /// One is started when it is needed.
    #[default]
    Later,
    /// A thread is at it.
    Coming(JoinHandle<Result<UnixStream>>),
}

impl Supervisor {
    /// Begins to start one, while something else is done. Signals are for others.
    pub(crate) fn begin(options: &Options) -> Supervisor {
        let place = Place::of(options);
        let work = move || {
            Set::full().block();
            place.start()
        };
        std::thread::Builder::new().name("supervisor".into()).spawn(work).map_or(Supervisor::Later, Supervisor::Coming)
    }
}

impl Engine {
    /// The connection to a supervisor that has nothing to do yet.
    ///
    /// # Errors
    /// `System` when memory is short, or there can be no more processes.
    pub(crate) fn supervisor(&self) -> Result<UnixStream> {
        match std::mem::take(&mut *self.supervisor.lock().unwrap_or_else(PoisonError::into_inner)) {
            Supervisor::Coming(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Supervisor::Later => Place::of(&self.options).start(),
        }
    }
}

/// What a supervisor is started from.
struct Place {
    /// Where others run.
    containers: PathBuf,
    /// What the copy of the program is called.
    name: String,
    program: &'static [u8],
}

impl Place {
    fn of(options: &Options) -> Place {
        let name = format!("phial-runtime-{}", options.runtime_build);
        Place { containers: options.paths.run_containers(), name, program: options.runtime_program }
    }

    fn start(&self) -> Result<UnixStream> {
        let program = self.program()?;
        let (ours, theirs) = UnixStream::pair().context(|| "making a pair of sockets")?;
        sys::spawn::detached(program.as_fd(), &["phial-runtime", "supervise"], &[theirs.as_fd()])
            .context(|| "starting the supervisor")?;
        sys::fault::point("start: supervisor spawned");
        Ok(ours)
    }

    /// That of a running supervisor, or a copy.
    fn program(&self) -> Result<OwnedFd> {
        let mut running = fs::read_dir(&self.containers).into_iter().flatten().flatten().take(TRIES);
        if let Some(program) = running.find_map(|entry| running_program(&entry.path(), &self.name)) {
            return Ok(program);
        }
        sys::memfd::sealed(&self.name, self.program).context(|| "copying the supervisor into memory")
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
