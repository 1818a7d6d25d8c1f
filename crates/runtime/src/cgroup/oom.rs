//! Notifications that a limit of memory was reached (kernel `cgroup-v2.rst`, `memory.events`; `cgroup-v1/memory.rst`,
//! "OOM Control").

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{OFlags, inotify};
use rustix::io::Errno;

use super::Cgroups;
use super::directory::Directory;
use super::limits::Version;
use crate::error::{Error, ErrorKind, Result};

/// Where v2 counts, and what v1 counts beside its switch.
const EVENTS: &str = "memory.events";
const CONTROL: &str = "memory.oom_control";

/// A descriptor that becomes readable when a process of the container wants memory that there is not.
#[derive(Debug)]
pub struct OomWatch {
    descriptor: OwnedFd,
    source: Source,
    path: PathBuf,
}

#[derive(Debug)]
enum Source {
    /// An eventfd that the kernel counts up. The file must stay open for it.
    Control(#[expect(dead_code, reason = "held open")] OwnedFd),
    /// An inotify descriptor, and what was read the last time.
    Events { seen: u64 },
}

impl Cgroups {
    /// Watches the container's memory.
    ///
    /// # Errors
    /// `Unsupported` without the controller memory, else `System`.
    pub fn watch_oom(&self) -> Result<OomWatch> {
        let lacking = || Error::new(ErrorKind::Unsupported, "the container has no cgroup with the controller memory");
        let directory = self.with("memory").ok_or_else(lacking)?;
        match directory.version {
            Version::V1 => watch_v1(directory),
            Version::V2 if directory.path.join(EVENTS).exists() => watch_v2(directory),
            Version::V2 => Err(lacking()),
        }
    }
}

impl OomWatch {
    /// How often it has happened since the last call: on v1 each time that the limit was reached, on v2 each process killed
    /// for it. Zero if it was woken for something else, such as the end of the cgroup. Never waits.
    ///
    /// # Errors
    /// `System`, naming the file.
    pub fn read(&mut self) -> Result<u64> {
        let happened = match &mut self.source {
            Source::Control(_) => counted(&self.descriptor).map_err(|errno| Error::system("eventfd", errno))?,
            Source::Events { seen } => {
                drain(&self.descriptor).map_err(|errno| Error::system("inotify", errno))?;
                let kills = std::fs::read_to_string(self.path.join(EVENTS)).map_or(*seen, |text| oom_kill(&text));
                let new = kills.saturating_sub(*seen);
                *seen = kills;
                new
            }
        };
        // v1 counts the removal of the cgroup as well.
        Ok(if self.is_over() && matches!(self.source, Source::Control(_)) { 0 } else { happened })
    }

    /// Whether the cgroup is gone, so that nothing will come any more.
    pub fn is_over(&self) -> bool {
        !self.path.exists()
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// How many processes were killed in a cgroup and those below it for want of memory.
pub(super) fn kills(directory: &Directory) -> u64 {
    let file = match directory.version {
        Version::V1 => CONTROL,
        Version::V2 => EVENTS,
    };
    directory.get(file).map_or(0, |text| oom_kill(&text))
}

fn oom_kill(text: &str) -> u64 {
    let number = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

fn watch_v1(directory: &Directory) -> Result<OomWatch> {
    const REGISTER: &str = "cgroup.event_control";
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    let descriptor = eventfd(0, flags).map_err(|errno| Error::system("eventfd", errno))?;
    let control = directory.file(CONTROL, OFlags::RDONLY).map_err(|errno| directory.error(CONTROL, errno))?;
    let numbers = format!("{} {}", descriptor.as_raw_fd(), control.as_raw_fd());
    directory.set(REGISTER, &numbers).map_err(|errno| directory.error(REGISTER, errno))?;
    Ok(OomWatch { descriptor, source: Source::Control(control), path: directory.path.clone() })
}

fn watch_v2(directory: &Directory) -> Result<OomWatch> {
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let descriptor = inotify::init(flags).map_err(|errno| Error::system("inotify", errno))?;
    let file = directory.path.join(EVENTS);
    inotify::add_watch(&descriptor, &file, inotify::WatchFlags::MODIFY)
        .map_err(|errno| Error::system(file.display(), errno))?;
    // Wakes for the end of the last process as well, so that a watcher can leave.
    let end = directory.path.join("cgroup.events");
    inotify::add_watch(&descriptor, &end, inotify::WatchFlags::MODIFY)
        .map_err(|errno| Error::system(end.display(), errno))?;
    let source = Source::Events { seen: kills(directory) };
    Ok(OomWatch { descriptor, source, path: directory.path.clone() })
}

fn counted(descriptor: &OwnedFd) -> rustix::io::Result<u64> {
    let mut number = [0; 8];
    match rustix::io::read(descriptor, &mut number) {
        Ok(_) => Ok(u64::from_ne_bytes(number)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(errno) => Err(errno),
    }
}

fn drain(descriptor: &OwnedFd) -> rustix::io::Result<()> {
    let mut buffer = [MaybeUninit::uninit(); 1024];
    loop {
        match rustix::io::read(descriptor, &mut buffer) {
            Ok((taken, _)) if !taken.is_empty() => {}
            Ok(_) | Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
