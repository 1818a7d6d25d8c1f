//! Control groups of a container: found, made, limited, read, frozen, removed (`cgroups(7)`, kernel `cgroup-v2.rst` and
//! `cgroup-v1/`, runtime-spec `config-linux.md`).
//!
//! On a host with the unified hierarchy (v2) a container has one directory; on a v1 or hybrid host one in every v1
//! hierarchy. Only directories of the container's own are ever made or changed, with two exceptions: directories above it
//! that do not exist are made, and v2 controllers that a limit needs are enabled in them. With [`Driver::Systemd`] it is
//! systemd that makes the directories, and limits are told to both, so that neither undoes what the other did.

/// Limits written into files, at creation and later.
mod apply;
/// Cgroups that the container has made below its own.
mod below;
/// Directories made, v1 cpusets filled.
mod create;
/// Rules of devices.
mod devices;
/// Rules of devices as a program for v2.
mod devices_program;
/// One cgroup and its files.
mod directory;
/// Controllers of v2, from the root down.
mod enable;
/// All processes stopped and let go.
mod freezer;
/// Which hierarchies the host has.
mod hierarchy;
/// What is written where: a pure function.
mod limits;
/// Notifications of processes killed for want of memory.
mod oom;
/// A v2 cgroup given to the container's root.
mod ownership;
/// Who is in it, and signals for all.
mod processes;
mod remove;
/// What a container has used, in runc's words.
pub mod stats;
/// Units of systemd as cgroups.
mod systemd;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

pub use freezer::thaw_leftovers;
pub use hierarchy::{Hierarchy, detect};
pub use oom::OomWatch;
pub use ownership::owner;
pub use remove::remove_leftovers;
pub use systemd::{Driver, UnitOptions};

use crate::error::Result;
use directory::Directory;
use limits::Version;

/// The cgroups of one container. They stay when this value is dropped; [`Cgroups::remove`] removes them.
#[derive(Debug)]
pub struct Cgroups {
    directories: Vec<Directory>,
    /// With systemd as driver.
    unit: Option<systemd::Unit>,
}

impl Cgroups {
    /// No cgroup at all: for a container without limits whose user may make none. Its processes stay in the caller's.
    pub fn none() -> Cgroups {
        Cgroups { directories: Vec::new(), unit: None }
    }

    /// The cgroups of a container that was made earlier, by the directories that [`Cgroups::paths`] gave. Those that are
    /// gone are left out; nothing is made.
    ///
    /// # Errors
    /// `System`, naming the directory.
    pub fn open(paths: &[PathBuf]) -> Result<Cgroups> {
        Cgroups::open_with(Driver::Cgroupfs, paths)
    }

    /// As [`Cgroups::open`], for a container that was made with this driver.
    ///
    /// # Errors
    /// As of [`Cgroups::open`].
    pub fn open_with(driver: Driver, paths: &[PathBuf]) -> Result<Cgroups> {
        let hierarchies = if paths.is_empty() { Vec::new() } else { hierarchy::all()? };
        let mut directories = Vec::with_capacity(paths.len());
        for path in paths {
            let of = hierarchies.iter().filter(|hierarchy| path.starts_with(&hierarchy.mount));
            let deepest = of.max_by_key(|hierarchy| hierarchy.mount.as_os_str().len());
            let version = if deepest.is_some_and(|one| !one.unified) { Version::V1 } else { Version::V2 };
            let directory = Directory::new(path, version, deepest.map_or(&[], |one| &one.controllers));
            match directory.descriptor() {
                Ok(_) => {}
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(directory.error("", errno)),
            }
            directories.push(directory);
        }
        let unit = match driver {
            Driver::Cgroupfs => None,
            Driver::Systemd => paths.first().and_then(|path| systemd::Unit::of_directory(path)),
        };
        Ok(Cgroups { directories, unit })
    }

    /// The container's directories, one per hierarchy in the order given at creation.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.directories.iter().map(|directory| directory.path.as_path())
    }

    /// Who makes the directories.
    pub fn driver(&self) -> Driver {
        if self.unit.is_some() { Driver::Systemd } else { Driver::Cgroupfs }
    }

    /// Descriptor of the container's directory in one hierarchy.
    ///
    /// # Errors
    /// `System`, naming the directory, which is gone.
    pub fn directory(&self, hierarchy: usize) -> Result<Option<BorrowedFd<'_>>> {
        let Some(directory) = self.directories.get(hierarchy) else { return Ok(None) };
        directory.descriptor().map(Some).map_err(|errno| directory.error("", errno))
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
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        // By its path: nothing else of most hierarchies is used.
        rustix::fs::open(directory.path.join("tasks"), flags, Mode::empty())
            .map_err(|errno| directory.error("tasks", errno))
    }

    fn version(&self) -> Version {
        let old = |directory: &Directory| directory.version == Version::V1;
        if self.directories.iter().any(old) { Version::V1 } else { Version::V2 }
    }

    /// The directory with the files of this controller.
    fn with(&self, controller: &str) -> Option<&Directory> {
        self.directories.iter().find(|directory| directory.has(controller))
    }
}

#[cfg(test)]
mod tests;
