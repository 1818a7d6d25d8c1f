//! The processes of a container as one: found and signalled (`cgroups(7)`; kernel `cgroup-v2.rst`, `cgroup.kill`).

use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::Cgroups;
use super::directory::Directory;
use super::limits::Version;
use crate::error::{Error, Result};

impl Cgroups {
    /// Every process of the container, those in cgroups that it made below its own included. In threaded cgroups these are
    /// threads, whose numbers do as well for signals.
    ///
    /// # Errors
    /// `System`, naming the file.
    pub fn processes(&self) -> Result<Vec<Pid>> {
        let mut found = Vec::new();
        if let Some(directory) = self.holder() {
            collect(&directory.path, &mut found)?;
        }
        found.sort_unstable_by_key(|process| process.as_raw_nonzero());
        found.dedup();
        Ok(found)
    }

    /// The directory whose processes stand for all. Every hierarchy has them; the freezer's are those that
    /// [`signal_all`](Cgroups::signal_all) stops.
    pub(super) fn holder(&self) -> Option<&Directory> {
        self.directories.iter().find(|directory| directory.has("freezer")).or(self.directories.first())
    }

    /// Sends a signal to every process of the container. `SIGKILL` none escapes by forking, and it wakes what is frozen.
    ///
    /// # Errors
    /// `System`, naming the file or process.
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        let unified = self.directories.iter().find(|directory| directory.version == Version::V2);
        if signal == Signal::KILL
            && let Some(directory) = unified
            // Linux 5.14.
            && directory.set("cgroup.kill", "1").is_ok()
        {
            return Ok(());
        }
        // What is frozen cannot fork while it is gone through. In v1 a killed process does not leave the freezer by itself.
        let frozen = signal == Signal::KILL && self.freeze().is_ok();
        let mut first = self
            .processes()
            .map(|processes| processes.into_iter().map(|process| send(process, signal)).fold(Ok(()), Result::and))?;
        if frozen {
            first = first.and(self.thaw());
        }
        first
    }

    /// How many processes the kernel has killed because the memory limit was reached.
    pub fn oom_kills(&self) -> u64 {
        self.with("memory").map_or(0, super::oom::kills)
    }
}

fn collect(directory: &Path, found: &mut Vec<Pid>) -> Result<()> {
    let mut path = directory.join("cgroup.procs");
    let mut text = std::fs::read_to_string(&path);
    if text.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EOPNOTSUPP)) {
        path = directory.join("cgroup.threads");
        text = std::fs::read_to_string(&path);
    }
    let text = match text {
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
