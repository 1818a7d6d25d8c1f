//! The file system of a container as one descriptor. Owns how it is come by and what keeps it together; nothing of it is ever mounted where
//! another process sees it, so nothing stays when this one is killed.
//!
//! - Of a running container it is the root of its first process, with all that is mounted there.
//! - Of one that does not run it is mounted in a namespace of mounts that no process is in: only a descriptor holds it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;

use fsroot::{Follow, Root};
use runtime::protocol::{CONFIG_FILE, first_process};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatVfsMountFlags, StatxFlags};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use rustix::thread::LinkNameSpaceType;
use store::ContainerLock;

use super::mounted::{self, Closed};
use super::overlay::{Overlay, own_namespace};
use crate::containers::create::{UPPER, WORK};
use crate::containers::lifecycle::{Container, State};
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};

/// What is to be seen of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Its root with volumes and everything else that is mounted there.
    All,
    /// Its root alone.
    Root,
}

/// A container's file system.
pub(crate) struct View {
    /// Its root.
    pub(crate) root: Root,
    closed: Vec<Closed>,
    _held: Option<Held>,
}

/// What a container that does not run needs as long as it is looked at.
struct Held {
    /// Without it the mounts would come apart.
    _namespace: OwnedFd,
    /// Says to others why they cannot have the lock.
    _look: OwnedFd,
    /// Nobody starts it meanwhile: two mounts of one upper directory would spoil it.
    _lock: ContainerLock,
}

impl View {
    /// Refuses a path that lies in what is mounted only while the container runs.
    ///
    /// # Errors
    /// `Conflict`.
    pub(super) fn refuse_closed(&self, path: &[u8]) -> Result<()> {
        let mut path = Path::new(OsStr::from_bytes(path));
        let found = loop {
            let here = if path == Path::new("") { Path::new(".") } else { path };
            match (self.root.metadata(here, Follow::Yes), path.parent()) {
                (Ok(found), _) => break found,
                (Err(_), Some(above)) => path = above,
                (Err(_), None) => return Ok(()),
            }
        };
        match self.closed.iter().find(|closed| closed.device == found.device) {
            Some(closed) => Err(Error::conflict(&*closed.why).with_hint("start the container first")),
            None => Ok(()),
        }
    }

    /// Refuses to write into a directory that is mounted read-only, and to replace a file that is mounted itself: the copy would
    /// lie below the mount, where nobody sees it.
    ///
    /// # Errors
    /// `Conflict`, in docker's words; `System`.
    pub(super) fn refuse_read_only(&self, directory: &[u8], called: &[u8]) -> Result<()> {
        let text = if directory.is_empty() { b"." } else { directory };
        let directory = self.root.open_path(OsStr::from_bytes(text), Follow::Yes).map_err(wrong)?;
        if is_read_only(&directory)? {
            return Err(Error::conflict("mounted volume is marked read-only"));
        }
        if called.is_empty() {
            return Ok(());
        }
        let path = [text, b"/", called].concat();
        let Ok(file) = self.root.open_path(OsStr::from_bytes(&path), Follow::No) else { return Ok(()) };
        if mount_of(&file)? == mount_of(&directory)? {
            return Ok(());
        }
        if is_read_only(&file)? {
            return Err(Error::conflict("mounted volume is marked read-only"));
        }
        if fsroot::attributes::metadata(&file).map_err(wrong)?.is_dir() {
            return Ok(());
        }
        Err(Error::conflict(format!("/{}: is mounted itself, and cannot be replaced", path.escape_ascii()))
            .with_hint("copy to the file of the host that is mounted there"))
    }
}

fn is_read_only(file: &OwnedFd) -> Result<bool> {
    let found = rustix::fs::fstatvfs(file).context(|| "fstatvfs")?;
    Ok(found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// The number of the mount that a file is seen through.
fn mount_of(file: &OwnedFd) -> Result<u64> {
    let found = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).context(|| "statx")?;
    Ok(found.stx_mnt_id)
}

impl Engine {
    /// Opens the file system of a container.
    ///
    /// # Errors
    /// `Conflict` for one that is just being started or removed, or whose supervisor was killed; `System`.
    pub(crate) fn view(&self, container: &Container, seen: Seen) -> Result<View> {
        let name = &container.record.name;
        let container = &*self.settled(container)?;
        if container.state.status().is_some() {
            if let Some(root) = self.running_root(container, seen)? {
                return Ok(View { root, closed: Vec::new(), _held: None });
            }
            return Err(Error::conflict(format!("container {name} has just ended or is restarting: try again")));
        }
        if matches!(container.state, State::Lost(Some(_))) {
            let message = format!("container {name} is dead, and its processes may still be there");
            return Err(Error::conflict(message).with_hint(format!("phial stop {name}")));
        }
        let being = || Error::conflict(format!("container {name} is being started or removed"));
        let lock = self.store.lock_container(&container.record.id)?.ok_or_else(being)?;
        let mark = self.begin_look(container)?;
        let (root, closed, namespace) = self.stopped_root(container, seen)?;
        Ok(View { root, closed, _held: Some(Held { _namespace: namespace, _look: mark, _lock: lock }) })
    }

    /// The root of the container's first process, if it runs.
    fn running_root(&self, container: &Container, seen: Seen) -> Result<Option<Root>> {
        let what = || format!("the root of container {}", container.record.name);
        let process = first_process(&self.paths().run_container(&container.record.id)).context(what)?;
        let Some(process) = process else { return Ok(None) };
        let root = match seen {
            Seen::All => open(&process, Path::new("root"), OFlags::RDONLY | OFlags::DIRECTORY),
            Seen::Root => open(&process, Path::new("ns/mnt"), OFlags::RDONLY)
                .and_then(|namespace| in_thread(move || root_alone(&namespace))),
        };
        match root {
            Ok(root) => Root::from_fd(root).map(Some).map_err(wrong),
            Err(Errno::NOENT | Errno::SRCH) => Ok(None),
            Err(errno) => Err(Error::system(what(), errno)),
        }
    }

    fn stopped_root(&self, container: &Container, seen: Seen) -> Result<(Root, Vec<Closed>, OwnedFd)> {
        let lower = self.lower(self.layers(&self.store.image(&container.record.image)?))?;
        let directory = self.paths().container(&container.record.id);
        let (upper, work) = (directory.join(UPPER), directory.join(WORK));
        let wanted = if seen == Seen::All {
            mounted::wanted(&self.bundle(&container.record).join(CONFIG_FILE))
        } else {
            Vec::new()
        };
        // Something to mount on that is there anyway; nobody else sees what lies on it.
        let at = self.paths().containers();
        in_thread(move || {
            own_namespace()?;
            let opened = mounted::open_all(&wanted)?;
            Overlay { lower: &lower, upper: Some((&upper, &work)) }.mount(&at)?;
            let root = Root::open(&at).map_err(wrong)?;
            let closed = mounted::mount_all(opened, &root)?;
            let namespace = open(CWD, Path::new("/proc/thread-self/ns/mnt"), OFlags::RDONLY)
                .context(|| "/proc/thread-self/ns/mnt")?;
            Ok((root, closed, namespace))
        })
    }
}

/// The root of a namespace of mounts without what is mounted below it.
fn root_alone(namespace: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    // A thread that shares its root with others may not join.
    sys::clone::unshare(CLONE_FS)?;
    rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = rustix::mount::open_tree(CWD, "/", flags)?;
    open(&mount, Path::new("."), OFlags::RDONLY | OFlags::DIRECTORY)
}

/// `CLONE_FS`.
const CLONE_FS: u64 = 0x200;

/// Does something that changes the thread it is done in, in one that ends with it.
fn in_thread<T: Send, E: Send + From<Errno>>(work: impl FnOnce() -> Result<T, E> + Send) -> Result<T, E> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("mounts".into()).spawn_scoped(scope, work);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::AGAIN).into()),
        }
    })
}

fn open(directory: impl AsFd, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(directory, path, flags | OFlags::CLOEXEC, Mode::empty())
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        Error::system("starting a thread", errno)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn wrong(error: fsroot::Error) -> Error {
    Error::new(ErrorKind::System, format!("opening the container's root: {error}"))
}
