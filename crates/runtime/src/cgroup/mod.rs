//! Control groups of a container: found, made, limited, read, removed (`cgroups(7)`, runtime-spec `config-linux.md`).
//!
//! On a host with the unified hierarchy (v2) a container has one directory; on a v1 or hybrid host one in every v1
//! hierarchy. Only directories of the container's own are ever made or changed, with one exception: v2 controllers
//! that a limit needs are enabled in the parent.

mod control;
mod devices;
mod devices_program;
mod hierarchy;
mod limits;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

pub use hierarchy::{Hierarchy, detect};

use crate::error::{Error, ErrorKind, Result};
use limits::Write;

/// The cgroups of one container. They stay when this value is dropped; [`Cgroups::remove`] removes them.
#[derive(Debug)]
pub struct Cgroups {
    directories: Vec<Directory>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    fd: OwnedFd,
    unified: bool,
    controllers: Vec<String>,
}

impl Cgroups {
    /// Makes the directory `path` (`linux.cgroupsPath`) in every hierarchy and sets the limits. On an error nothing is
    /// left.
    ///
    /// # Errors
    /// `Invalid` for a path that is none or a limit the kernel refuses, `Unsupported` for a controller that the host
    /// lacks, `System` else, each naming file and value.
    pub fn create(hierarchies: &[Hierarchy], path: &Path, resources: Option<&LinuxResources>) -> Result<Cgroups> {
        let relative = relative(path)?;
        let mut made = Cgroups { directories: Vec::with_capacity(hierarchies.len()) };
        let result = made.fill(hierarchies, &relative, resources);
        if let Err(error) = result {
            made.remove().ok();
            return Err(error);
        }
        Ok(made)
    }

    fn fill(&mut self, hierarchies: &[Hierarchy], relative: &Path, resources: Option<&LinuxResources>) -> Result<()> {
        let unified = hierarchies.iter().all(|hierarchy| hierarchy.unified);
        let writes = resources.map(|resources| limits::writes(resources, unified)).transpose()?.unwrap_or_default();
        for hierarchy in hierarchies {
            if hierarchy.unified {
                enable_controllers(hierarchy, relative, &writes)?;
            }
            let path = hierarchy.mount.join(relative);
            make(&path)?;
            self.directories.push(Directory {
                fd: open_directory(&path)?,
                path,
                unified: hierarchy.unified,
                controllers: hierarchy.controllers.clone(),
            });
        }
        for directory in &self.directories {
            if directory.has("cpuset") && !directory.unified {
                inherit_cpuset(directory)?;
            }
        }
        for write in &writes {
            self.write(write)?;
        }
        let rules = resources.and_then(|resources| resources.devices().as_deref()).unwrap_or_default();
        self.devices(rules)
    }

    fn write(&self, write: &Write) -> Result<()> {
        let has = |directory: &&Directory| directory.unified || directory.has(write.controller);
        let Some(directory) = self.directories.iter().find(has) else {
            if write.optional {
                return Ok(());
            }
            let message = format!("{}: this host has no cgroup controller {}", write.field, write.controller);
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        match directory.set(&write.file, &write.value) {
            Ok(()) => Ok(()),
            Err(Errno::NOENT) if write.optional => Ok(()),
            Err(errno) => Err(refused(directory, write, errno)),
        }
    }

    fn devices(&self, rules: &[oci_spec::runtime::LinuxDeviceCgroup]) -> Result<()> {
        let has = |directory: &&Directory| directory.unified || directory.has("devices");
        let Some(directory) = self.directories.iter().find(has) else {
            if rules.is_empty() {
                return Ok(());
            }
            let message = "linux.resources.devices: this host has no cgroup controller devices";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        devices::apply(directory.fd.as_fd(), &directory.path, directory.unified, &devices::with_defaults(rules))
    }

    /// The container's directories, one per hierarchy in the order given at creation.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.directories.iter().map(|directory| directory.path.as_path())
    }

    /// Descriptor of the container's directory in one hierarchy.
    pub fn directory(&self, hierarchy: usize) -> Option<BorrowedFd<'_>> {
        self.directories.get(hierarchy).map(|directory| directory.fd.as_fd())
    }

    /// `tasks` of one v1 hierarchy, open for writing: a thread that writes `0` joins.
    ///
    /// `cgroup.procs` would do as well, but stops every fork and exit of the machine while it moves a process, and waits
    /// for an RCU grace period to do so: 12 ms. A thread that moves itself needs none of that.
    ///
    /// # Errors
    /// `System`, naming the file.
    pub fn members(&self, hierarchy: usize) -> Result<OwnedFd> {
        let directory = &self.directories[hierarchy];
        directory.open("tasks", OFlags::WRONLY).map_err(|errno| directory.error("tasks", errno))
    }

    /// How many processes the kernel has killed because the memory limit was reached.
    pub fn oom_kills(&self) -> u64 {
        let file = |directory: &Directory| if directory.unified { "memory.events" } else { "memory.oom_control" };
        let directory = self.directories.iter().find(|directory| directory.unified || directory.has("memory"));
        let Some(directory) = directory else { return 0 };
        let text = std::fs::read_to_string(directory.path.join(file(directory))).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Removes the directories, and those that the container made in them. All are tried; the first error is returned.
    ///
    /// # Errors
    /// `System`, naming the directory; `EBUSY` means that processes are still in it.
    pub fn remove(&self) -> Result<()> {
        let mut first = Ok(());
        for directory in &self.directories {
            let result = remove_tree(&directory.path).map_err(|errno| directory.error("", errno));
            first = first.and(result);
        }
        first
    }
}

/// Removes cgroup directories whose container is gone, as recorded in [`crate::protocol::Status::cgroups`].
///
/// # Errors
/// `System`, naming the first directory that could not be removed.
pub fn remove_leftovers(paths: &[PathBuf]) -> Result<()> {
    let mut first = Ok(());
    for path in paths {
        let result = remove_tree(path).map_err(|errno| Error::system(path.display(), errno));
        first = first.and(result);
    }
    first
}

impl Directory {
    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|known| known == controller)
    }

    fn open(&self, file: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        rustix::fs::openat(&self.fd, file, flags | OFlags::CLOEXEC, Mode::empty())
    }

    fn set(&self, file: &str, value: &str) -> rustix::io::Result<()> {
        let fd = self.open(file, OFlags::WRONLY)?;
        rustix::io::write(fd, value.as_bytes()).map(drop)
    }

    fn error(&self, file: &str, errno: Errno) -> Error {
        Error::system(self.path.join(file).display(), errno)
    }
}

fn refused(directory: &Directory, write: &Write, errno: Errno) -> Error {
    let file = directory.path.join(&write.file);
    let message = format!("{}: writing {} to {}: {errno}", write.field, write.value, file.display());
    let kind = if errno == Errno::INVAL { ErrorKind::Invalid } else { ErrorKind::System };
    let error = Error::new(kind, message);
    match errno {
        Errno::BUSY => error.with_hint("the limit is below what is already in use: give a higher one"),
        Errno::INVAL => error.with_hint("the kernel refuses this value"),
        Errno::ROFS => error.with_hint("the cgroup file system is read-only here: run outside of a container"),
        Errno::NOENT => error.with_hint("this kernel does not have that limit"),
        _ => error,
    }
}

/// `cgroupsPath` below a hierarchy's mount point.
fn relative(path: &Path) -> Result<PathBuf> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    if relative.as_os_str().is_empty() || !relative.components().all(plain) {
        let message = format!("linux.cgroupsPath {}: is no path below the root of a hierarchy", path.display());
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(relative.to_owned())
}

fn make(path: &Path) -> Result<()> {
    let made = match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
        Err(Errno::NOENT) => std::fs::create_dir_all(path).map_err(|error| Error::system(path.display(), error)),
        Err(Errno::EXIST) => {
            // Left by a container of this id whose supervisor was killed; a populated one must not be taken over.
            remove_tree(path)
                .and_then(|()| rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)))
                .map_err(|errno| Error::system(format!("cgroup {} exists already", path.display()), errno))
        }
        other => other.map_err(|errno| Error::system(path.display(), errno)),
    };
    made.map_err(|error| error.with_hint("making cgroups needs root and a writable cgroup file system"))
}

fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| Error::system(path.display(), errno))
}

/// A v1 cpuset takes no process before it has processors and memory nodes; a new one has none.
fn inherit_cpuset(directory: &Directory) -> Result<()> {
    let parent = directory.path.parent().unwrap_or(Path::new("/"));
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let value =
            std::fs::read(parent.join(file)).map_err(|error| Error::system(parent.join(file).display(), error))?;
        let fd = directory.open(file, OFlags::WRONLY).map_err(|errno| directory.error(file, errno))?;
        rustix::io::write(fd, &value).map_err(|errno| directory.error(file, errno))?;
    }
    Ok(())
}

/// Enables the controllers that the limits need, from the root of the hierarchy down to the parent.
fn enable_controllers(hierarchy: &Hierarchy, relative: &Path, writes: &[Write]) -> Result<()> {
    let mut wanted: Vec<&str> = writes.iter().map(|write| write.controller).collect();
    wanted.extend(["memory", "pids", "cpu"]);
    wanted.sort_unstable();
    wanted.dedup();
    let mut directory = hierarchy.mount.clone();
    for part in
        std::iter::once(Path::new("")).chain(relative.parent().map(Path::iter).into_iter().flatten().map(Path::new))
    {
        directory.push(part);
        make_parent(&directory)?;
        let present = std::fs::read_to_string(directory.join("cgroup.controllers")).unwrap_or_default();
        let enabled = std::fs::read_to_string(directory.join("cgroup.subtree_control")).unwrap_or_default();
        for controller in &wanted {
            let has = |list: &str| list.split_whitespace().any(|word| word == *controller);
            if has(&present) && !has(&enabled) {
                // A failure shows at the limit's own file, with a better name for what is missing.
                std::fs::write(directory.join("cgroup.subtree_control"), format!("+{controller}")).ok();
            }
        }
    }
    Ok(())
}

fn make_parent(path: &Path) -> Result<()> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(Error::system(path.display(), error)),
        _ => Ok(()),
    }
}

/// Removes a cgroup directory and those below it. A process that was just reaped may keep it busy for a moment more.
fn remove_tree(path: &Path) -> rustix::io::Result<()> {
    const TRIES: u32 = 50;
    for attempt in 0..TRIES {
        match rustix::fs::unlinkat(rustix::fs::CWD, path, AtFlags::REMOVEDIR) {
            Err(Errno::BUSY) => {
                remove_children(path);
                let pause = rustix::time::Timespec { tv_sec: 0, tv_nsec: i64::from(100_000 << attempt.min(8)) };
                let _ = rustix::thread::nanosleep(&pause);
            }
            Err(Errno::NOENT) => return Ok(()),
            other => return other,
        }
    }
    Err(Errno::BUSY)
}

fn remove_children(path: &Path) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_children(&entry.path());
            rustix::fs::unlinkat(rustix::fs::CWD, entry.path(), AtFlags::REMOVEDIR).ok();
        }
    }
}

#[cfg(test)]
mod tests;
