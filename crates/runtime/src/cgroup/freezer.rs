//! All processes of a container, stopped and let go (kernel `cgroup-v2.rst`, `cgroup.freeze`;
//! `cgroup-v1/freezer-subsystem.rst`).

use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::Cgroups;
use super::directory::Directory;
use super::limits::Version;
use crate::error::{Error, ErrorKind, Result};

/// How long processes may take to stop. One that waits for a disk or a network file system stops when that answers.
const PATIENCE: Duration = Duration::from_secs(10);

const STATE: &str = "freezer.state";

impl Cgroups {
    /// Freezes every process, and returns when all are.
    ///
    /// # Errors
    /// `Unsupported` without a freezer, else `System`; the processes go on then.
    pub fn freeze(&self) -> Result<()> {
        let directory = self.freezer()?;
        let result = match directory.version {
            Version::V1 => freeze_v1(directory),
            Version::V2 => write(directory, "cgroup.freeze", "1").and_then(|()| await_frozen(directory)),
        };
        if result.is_err() {
            // Some frozen and some not is what nobody asked for.
            self.thaw().ok();
        }
        result
    }

    /// Lets every process go on.
    ///
    /// # Errors
    /// As of [`Cgroups::freeze`].
    pub fn thaw(&self) -> Result<()> {
        let directory = self.freezer()?;
        match directory.version {
            Version::V1 => write(directory, STATE, "THAWED"),
            Version::V2 => write(directory, "cgroup.freeze", "0"),
        }
    }

    /// Whether somebody has frozen the container; one that stands still because a cgroup above it is frozen is not meant.
    /// Without a freezer nobody has.
    ///
    /// # Errors
    /// `System`, naming the file.
    pub fn is_frozen(&self) -> Result<bool> {
        let Ok(directory) = self.freezer() else { return Ok(false) };
        let file = match directory.version {
            Version::V1 => "freezer.self_freezing",
            Version::V2 => "cgroup.freeze",
        };
        Ok(directory.find(file)?.is_some_and(|text| text == "1"))
    }

    /// The directory by which all processes can be frozen, if there is one.
    pub fn freezer_path(&self) -> Option<&Path> {
        self.freezer().ok().map(|directory| directory.path.as_path())
    }

    fn freezer(&self) -> Result<&Directory> {
        self.with("freezer")
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "the container has no cgroup with a freezer"))
    }
}

/// Lets the processes in cgroup directories go on whose container has nobody any more who would: a process that stands
/// still does not take a signal with version 1, not even the one that kills. Where nothing is frozen nothing happens.
pub fn thaw_leftovers(paths: &[PathBuf]) {
    for path in paths {
        for (file, running) in [(STATE, "THAWED"), ("cgroup.freeze", "0")] {
            // Only one of them is there, and in one of the directories.
            if let Ok(mut file) = std::fs::OpenOptions::new().write(true).open(path.join(file)) {
                let _ = file.write_all(running.as_bytes());
            }
        }
    }
}

/// While processes fork or join, the kernel can stay at FREEZING for good. To write again helps with one, and to let all
/// go for a moment with the other.
fn freeze_v1(directory: &Directory) -> Result<()> {
    const ROUND: u32 = 50;
    let start = Instant::now();
    for attempt in 1_u32.. {
        write(directory, STATE, "FROZEN")?;
        if directory.get(STATE).map_err(|errno| directory.error(STATE, errno))? == "FROZEN" {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            break;
        }
        if attempt % ROUND == 0 {
            write(directory, STATE, "THAWED")?;
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::yield_now();
    }
    Err(stuck(directory))
}

/// The kernel wakes who polls `cgroup.events` for every change in it.
fn await_frozen(directory: &Directory) -> Result<()> {
    const FILE: &str = "cgroup.events";
    let failed = |errno| directory.error(FILE, errno);
    let events = directory.file(FILE, OFlags::RDONLY).map_err(failed)?;
    let start = Instant::now();
    loop {
        let mut buffer = [0; 256];
        let count = rustix::io::pread(&events, &mut buffer, 0).map_err(failed)?;
        if String::from_utf8_lossy(&buffer[..count]).lines().any(|line| line == "frozen 1") {
            return Ok(());
        }
        let rest = PATIENCE.checked_sub(start.elapsed()).ok_or_else(|| stuck(directory))?;
        let rest = Timespec::try_from(rest).map_err(|_| stuck(directory))?;
        match poll(&mut [PollFd::from_borrowed_fd(events.as_fd(), PollFlags::PRI)], Some(&rest)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
}

fn stuck(directory: &Directory) -> Error {
    let seconds = PATIENCE.as_secs();
    let message = format!("cgroup {}: not all processes stopped within {seconds} seconds", directory.path.display());
    Error::new(ErrorKind::System, message).with_hint("one of them waits for a device or a network file system")
}

fn write(directory: &Directory, file: &str, value: &str) -> Result<()> {
    match directory.set(file, value) {
        Err(Errno::NOENT) => {
            let message = format!("this kernel has no {}", directory.path.join(file).display());
            Err(Error::new(ErrorKind::Unsupported, message).with_hint("cgroup v2 freezes since Linux 5.2"))
        }
        other => other.map_err(|errno| directory.error(file, errno)),
    }
}
