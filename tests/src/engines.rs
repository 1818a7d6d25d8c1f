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

/// The name of this process's own cgroups, and whatever else engines would share with another test on the same host.
fn mark() -> String {
    format!("phial-engine-{}", std::process::id())
}
