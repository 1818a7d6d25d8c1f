//! What engines leave on the host when they are stopped in order: parents of cgroups, mounts of their directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::process::{self, run};

/// Removes the cgroups of this name, and those below them, from every hierarchy.
pub(super) fn remove_cgroups(name: &str) {
    for hierarchy in mounts(|kind| matches!(kind, "cgroup" | "cgroup2")) {
        remove_below(&hierarchy, name);
    }
}

/// A cgroup that is still in use stays: the test for what is left reports it.
fn remove_below(directory: &Path, name: &str) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name() == name {
            remove_tree(&entry.path());
        } else {
            remove_below(&entry.path(), name);
        }
    }
}

fn remove_tree(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    if fs::remove_dir(cgroup).is_err() {
        wait_for_processes(cgroup);
        let _ = fs::remove_dir(cgroup);
    }
}

/// Waits for those that are about to end, as a conmon whose container was removed; but not for ever.
fn wait_for_processes(cgroup: &Path) {
    let list = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    wait_for(list.lines().filter_map(|line| line.parse().ok()));
}

/// Waits for those whose command lines name a directory, as the podman that conmon calls to clean up after a container;
/// but not for ever.
pub(super) fn wait_for_users(directory: &Path) {
    let name = directory.to_string_lossy();
    let uses = |pid: &i32| process::arguments(*pid).iter().any(|word| word.contains(&*name));
    wait_for(process::all().into_iter().map(|process| process.pid).filter(uses));
}

fn wait_for(pids: impl Iterator<Item = i32>) {
    const ENDING: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
    let open = |pid| pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok();
    for process in pids.filter_map(open) {
        let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&ENDING));
    }
}

/// Unmounts everything below a directory, the latest first, as often as it is mounted.
pub(super) fn unmount_below(directory: &Path) {
    let mut below = mounts(|_| true);
    below.retain(|path| path.starts_with(directory));
    for path in below.iter().rev() {
        // One that is gone by now is what was wanted.
        let _ = run(Command::new("umount").arg("--lazy").arg("--quiet").arg(path));
    }
}

/// Mount points of this namespace whose type is wanted, in the order in which they were mounted.
fn mounts(wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let rows = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let rows = rows.filter(|row| row.get(2).is_some_and(|kind| wanted(kind)));
    rows.filter_map(|row| row.get(1).map(PathBuf::from)).collect()
}
