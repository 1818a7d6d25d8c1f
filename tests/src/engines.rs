//! Debian's own engines on private directories and sockets: docker, containerd and podman, for the tests that give
//! them `phial-runtime` as their runtime and for the bench that compares with them. Each is stopped with its value,
//! and what it leaves on the host is removed.

/// containerd, driven by its own `ctr`.
pub mod containerd;
/// dockerd and its client.
pub mod docker;
/// podman, which has no daemon.
pub mod podman;
/// What engines leave on the host when they are stopped in order.
mod rest;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::process::{Running, words};
use crate::{Context, Failure, Result};

pub use containerd::Containerd;
pub use docker::Docker;
pub use podman::Podman;

/// Starts a daemon, its output in a file, and returns once its socket takes connections.
fn daemon(command: &mut Command, socket: &Path, log: &Path) -> Result<Running> {
    let file = fs::File::create(log).context(log.display())?;
    let daemon = Running::start(command.stdout(file.try_clone()?).stderr(Stdio::from(file)))?;
    // Daemons announce themselves to systemd only: there is nothing to wait on but the socket.
    while UnixStream::connect(socket).is_err() {
        if daemon.ends_within(Duration::from_millis(5))? {
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(Failure::new(format!("`{}` ended at once:\n{said}", words(command))));
        }
    }
    Ok(daemon)
}

/// A name for one engine's cgroups, and for whatever else it would share with another one on the same host.
fn mark() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("phial-engine-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A limit of a process's cgroup, read on the host: a file such as `memory/memory.limit_in_bytes` with cgroup v1, the
/// first word of one such as `memory.max` with v2.
///
/// # Errors
/// Neither is there.
pub fn limit_of(pid: i32, first: &str, second: &str) -> Result<String> {
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).context(format!("process {pid}"))?;
    let (controller, file) = first.split_once('/').context(format!("{first} names no controller"))?;
    // cgroups(7): hierarchy, controllers, path.
    let entries: Vec<(&str, &str)> =
        cgroups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':')).collect();
    let path = |wanted: &str| {
        entries.iter().find(|(names, _)| names.split(',').any(|name| name == wanted)).map(|(_, path)| path)
    };
    let text = match path(controller) {
        Some(path) => fs::read_to_string(format!("/sys/fs/cgroup/{controller}{path}/{file}")),
        None => fs::read_to_string(format!("/sys/fs/cgroup{}/{second}", path("").context("no cgroup")?)),
    };
    let text = text.context(format!("{first} or {second} of process {pid}"))?;
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

/// A shell's words that print a limit of the container they run in: of a controller's directory on a host with cgroup
/// v1, the first word of a file of the one directory with v2.
pub fn limit(first: &str, second: &str) -> String {
    format!("cat /sys/fs/cgroup/{first} 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/{second}")
}
