//! The processes of a container as one: found, signalled, frozen (`cgroups(7)`, kernel `cgroup-v2.rst` and
//! `cgroup-v1/freezer-subsystem.rst`).

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::{Cgroups, Directory, open_directory};
use crate::error::{Error, ErrorKind, Result};

impl Cgroups {
    /// The cgroups of a container that was made earlier, by their directories. Those that are gone are left out.
    ///
    /// # Errors
    /// `System`, naming the directory.
    pub fn open(paths: &[PathBuf]) -> Result<Cgroups> {
        let mut directories = Vec::with_capacity(paths.len());
        for path in paths.iter().filter(|path| path.is_dir()) {
            let fd = open_directory(path)?;
            let unified = path.join("cgroup.controllers").exists();
            // A v1 hierarchy is mounted under the names of its controllers.
            let controllers = if unified { Vec::new() } else { controllers_of(path) };
            directories.push(Directory { path: path.clone(), fd, unified, controllers });
        }
        Ok(Cgroups { directories })
    }

    /// Every process of the container, those in cgroups that it made below its own included.
    ///
    /// # Errors
    /// `System`, naming the file.
    pub fn processes(&self) -> Result<Vec<Pid>> {
        let mut found = Vec::new();
        if let Some(directory) = self.directories.first() {
            collect(&directory.path, &mut found)?;
        }
        Ok(found)
    }

    /// Sends a signal to every process of the container. For `SIGKILL` none escapes by forking.
    ///
    /// # Errors
    /// `System`, naming the file or process.
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        let unified = self.directories.iter().find(|directory| directory.unified);
        if signal == Signal::KILL
            && let Some(directory) = unified
            // Linux 5.14.
            && directory.set("cgroup.kill", "1").is_ok()
        {
            return Ok(());
        }
        // What is frozen cannot fork while it is gone through; a killed process leaves the freezer by itself only in v2.
        let frozen = signal == Signal::KILL && self.freeze().is_ok();
        let result =
            self.processes().and_then(|processes| processes.into_iter().try_for_each(|process| send(process, signal)));
        if frozen {
            self.thaw()?;
        }
        result
    }

    /// Freezes every process, and waits until they are.
    ///
    /// # Errors
    /// `Unsupported` without a freezer, else `System`.
    pub fn freeze(&self) -> Result<()> {
        let directory = self.freezer()?;
        if directory.unified {
            return write(directory, "cgroup.freeze", "1").and_then(|()| await_frozen(directory));
        }
        // A process that is being moved or forked can keep the whole in FREEZING: writing once more helps.
        while read(directory, "freezer.state")? != "FROZEN" {
            write(directory, "freezer.state", "FROZEN")?;
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Lets every process go on.
    ///
    /// # Errors
    /// As of [`Cgroups::freeze`].
    pub fn thaw(&self) -> Result<()> {
        let directory = self.freezer()?;
        if directory.unified {
            return write(directory, "cgroup.freeze", "0");
        }
        write(directory, "freezer.state", "THAWED")
    }

    /// Whether somebody has frozen the container. Without a freezer nobody has.
    ///
    /// # Errors
    /// `System`, naming the file.
    pub fn is_frozen(&self) -> Result<bool> {
        let Ok(directory) = self.freezer() else { return Ok(false) };
        let (file, thawed) = if directory.unified { ("cgroup.freeze", "0") } else { ("freezer.state", "THAWED") };
        Ok(read(directory, file)? != thawed)
    }

    fn freezer(&self) -> Result<&Directory> {
        let has = |directory: &&Directory| directory.unified || directory.has("freezer");
        self.directories
            .iter()
            .find(has)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "the container has no cgroup with a freezer"))
    }
}

/// The controllers of the hierarchy that this directory lies in.
fn controllers_of(path: &Path) -> Vec<String> {
    let hierarchies = super::detect().unwrap_or_default();
    let of = hierarchies.into_iter().filter(|hierarchy| path.starts_with(&hierarchy.mount));
    of.max_by_key(|hierarchy| hierarchy.mount.as_os_str().len())
        .map(|hierarchy| hierarchy.controllers)
        .unwrap_or_default()
}

fn collect(directory: &Path, found: &mut Vec<Pid>) -> Result<()> {
    let path = directory.join("cgroup.procs");
    let text = match std::fs::read_to_string(&path) {
        // It went while we looked, and nothing was in it.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)) => return Ok(()),
        other => other.map_err(|error| Error::system(path.display(), error))?,
    };
    found.extend(text.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw));
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), found)?;
        }
    }
    Ok(())
}

fn send(process: Pid, signal: Signal) -> Result<()> {
    match kill_process(process, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(Error::system(format!("signal for process {}", process.as_raw_nonzero()), errno)),
    }
}

/// The kernel wakes who polls `cgroup.events` for every change in it.
fn await_frozen(directory: &Directory) -> Result<()> {
    const FILE: &str = "cgroup.events";
    let failed = |errno| directory.error(FILE, errno);
    let events = directory.open(FILE, OFlags::RDONLY).map_err(failed)?;
    loop {
        let mut buffer = [0; 256];
        let count = rustix::io::pread(&events, &mut buffer, 0).map_err(failed)?;
        if String::from_utf8_lossy(&buffer[..count]).lines().any(|line| line == "frozen 1") {
            return Ok(());
        }
        match poll(&mut [PollFd::from_borrowed_fd(events.as_fd(), PollFlags::PRI)], None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
}

fn read(directory: &Directory, file: &str) -> Result<String> {
    let path = directory.path.join(file);
    let text = std::fs::read_to_string(&path).map_err(|error| Error::system(path.display(), error))?;
    Ok(text.trim_end().to_owned())
}

fn write(directory: &Directory, file: &str, value: &str) -> Result<()> {
    directory.set(file, value).map_err(|errno| directory.error(file, errno))
}
