//! What the host looks like: everything that a container engine could leave behind. Two snapshots are compared; what
//! only the later one has was left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

use crate::{Context, Result, process};

/// Where network namespaces have names.
const NAMESPACES: &str = "/run/netns";

/// The state of the host at one moment, one line per thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeSet<String>);

impl Snapshot {
    /// Looks. Processes are those below this one; see [`adopt_orphans`].
    pub fn take() -> Snapshot {
        let mut things = BTreeSet::new();
        mounts(&mut things);
        cgroups(&mut things);
        listed(&mut things, "link", "/sys/class/net");
        listed(&mut things, "network namespace", NAMESPACES);
        listed(&mut things, "shared memory", "/dev/shm");
        listed(&mut things, "container of the host's own phial", "/run/phial/containers");
        listed(&mut things, "container of the host's own phial", "/var/lib/phial/containers");
        loop_devices(&mut things);
        temporary(&mut things);
        processes(&mut things);
        Snapshot(things)
    }

    /// What is here and was not there.
    pub fn since(&self, before: &Snapshot) -> Vec<String> {
        self.0.difference(&before.0).cloned().collect()
    }
}

/// Makes this process the parent of every orphan below it (`PR_SET_CHILD_SUBREAPER`, prctl(2)): a supervisor that has
/// left its command is found among the descendants, and nobody else's processes are.
///
/// # Errors
/// The kernel's.
pub fn adopt_orphans() -> Result {
    set_child_subreaper(Some(getpid())).map_err(Into::into)
}

/// Runs a command to its end, and takes the exit status of every adopted process that ends meanwhile: one that nobody
/// has taken keeps its pid namespace, and a container with it, from ending. Returns the command's exit code as a shell
/// has it.
///
/// # Errors
/// It could not be started.
pub fn run_and_reap(command: &mut Command) -> Result<i32> {
    let child = Pid::from_child(&command.spawn().context(format!("`{}`", process::words(command)))?);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == child => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                return Ok(status.exit_status().or(signal).unwrap_or(1));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Takes the exit status of every adopted process that has ended. To be called when no child of one's own is waited
/// for.
pub fn reap_orphans() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

/// Waits until no process below this one is left except those given, and returns those that do not end: a process that
/// is ending needs a moment, one that writes images to the disk as long as the disk does, one that sleeps forever is not
/// waited for.
pub fn settle(except: &[i32]) -> Vec<process::Stat> {
    let mut last = BTreeSet::new();
    loop {
        reap_orphans();
        let alive = process::descendants(own_pid());
        let rest: Vec<_> = alive.into_iter().filter(|process| !except.contains(&process.pid)).collect();
        let pids: BTreeSet<i32> = rest.iter().map(|process| process.pid).collect();
        if rest.is_empty() || (pids == last && !pids.iter().copied().any(is_syncing)) {
            return rest;
        }
        wait_for_one_of(&pids);
        last = pids;
    }
}

/// Whether it is `phial system sync`, which `pull` leaves behind to make an image durable.
fn is_syncing(pid: i32) -> bool {
    process::arguments(pid).iter().any(|word| word == "sync")
}

/// Ends what did not end by itself. They are descendants of this process, so they are nobody else's.
pub fn end(processes: &[process::Stat]) {
    for process in processes {
        let same = process::stat(process.pid).is_some_and(|now| now.started == process.started);
        // It may have ended by itself just now.
        let _ = Pid::from_raw(process.pid).filter(|_| same).map(|pid| kill_process(pid, Signal::KILL));
    }
    settle(&[]);
}

/// Waits until one of these processes ends, for at most the second that a container's end takes at its very worst.
fn wait_for_one_of(pids: &BTreeSet<i32>) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let open = |pid: &i32| rustix::process::pidfd_open(Pid::from_raw(*pid)?, rustix::process::PidfdFlags::empty()).ok();
    let fds: Vec<_> = pids.iter().filter_map(open).collect();
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    // An error only means that the next look comes at once.
    let _ = poll(&mut polled, Some(&Timespec { tv_sec: 1, tv_nsec: 0 }));
}

fn own_pid() -> i32 {
    getpid().as_raw_nonzero().get()
}

fn mounts(things: &mut BTreeSet<String>) {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for line in table.lines() {
        // proc_pid_mountinfo(5): 4 is the root, 5 the mount point; after the dash, type and source.
        let fields: Vec<&str> = line.split(' ').collect();
        let (_, rest) = line.split_once(" - ").unwrap_or_default();
        let kind = rest.split(' ').next().unwrap_or_default();
        // ip-netns(8) mounts it onto itself when somebody calls it for the first time, and leaves it. What is in it is looked at.
        if fields.get(4) == Some(&NAMESPACES) {
            continue;
        }
        things.insert(format!("mount {} ({kind}, id {})", fields.get(4).unwrap_or(&""), fields[0]));
    }
}

fn cgroups(things: &mut BTreeSet<String>) {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let rows = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    for row in rows.filter(|row| matches!(row.get(2), Some(&"cgroup" | &"cgroup2"))) {
        directories(things, Path::new(row[1]));
    }
}

fn directories(things: &mut BTreeSet<String>, dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            things.insert(format!("cgroup {}", entry.path().display()));
            directories(things, &entry.path());
        }
    }
}

fn listed(things: &mut BTreeSet<String>, what: &str, dir: &str) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        things.insert(format!("{what} {}", entry.path().display()));
    }
}

fn loop_devices(things: &mut BTreeSet<String>) {
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        if let Ok(file) = fs::read_to_string(entry.path().join("loop/backing_file")) {
            things.insert(format!("loop device {} of {}", entry.file_name().display(), file.trim()));
        }
    }
}

fn temporary(things: &mut BTreeSet<String>) {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("phial-") {
            things.insert(format!("directory {}", entry.path().display()));
        }
    }
}

fn processes(things: &mut BTreeSet<String>) {
    for process in process::descendants(own_pid()) {
        things.insert(format!("process {} {} (started at {})", process.pid, process.name, process.started));
    }
}
