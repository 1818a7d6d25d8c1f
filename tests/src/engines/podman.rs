//! Podman on private directories. It has no daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{mark, rest};
use crate::namespace::Namespace;
use crate::process::{Output, program, run};
use crate::{Context, Result};

/// Podman with a runtime.
#[derive(Debug)]
pub struct Podman {
    program: PathBuf,
    dir: PathBuf,
    runtime: PathBuf,
    mark: String,
    /// The network namespace that it runs in, if it is not the one of the test.
    host: Option<Namespace>,
}

/// What would otherwise be shared with the host's own podman (locks), and limits: podman's own are more than a host
/// without `CAP_SYS_RESOURCE` allows.
const CONFIGURATION: &str = "[containers]\ndefault_ulimits = ['nofile=1024:4096', 'nproc=1024:1024']\n\
                             [engine]\nlock_type = 'file'\n";

impl Podman {
    /// Podman for containers that this program makes: a path, or a name that podman knows.
    ///
    /// # Errors
    /// It is missing.
    pub fn new(dir: &Path, runtime: impl Into<PathBuf>) -> Result<Podman> {
        fs::create_dir_all(dir).context(dir.display())?;
        fs::write(dir.join("containers.conf"), CONFIGURATION)?;
        Ok(Podman {
            program: program("podman", "podman")?,
            dir: dir.to_owned(),
            runtime: runtime.into(),
            mark: mark(),
            host: None,
        })
    }

    /// Podman with networks, on this host.
    ///
    /// # Errors
    /// It is missing.
    pub fn on(dir: &Path, host: &Namespace) -> Result<Podman> {
        let mut podman = Podman::new(dir, "runc")?;
        podman.host = Some(host.clone());
        Ok(podman)
    }

    /// The same podman with another runtime.
    pub fn set_runtime(&mut self, runtime: impl Into<PathBuf>) {
        self.runtime = runtime.into();
    }

    /// The runtime it uses.
    pub fn runtime(&self) -> &Path {
        &self.runtime
    }

    /// A command line of `podman`, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match &self.host {
            Some(host) => host.command(&self.program, &[] as &[&str]),
            None => Command::new(&self.program),
        };
        // Conmon leaves a file named `oom` where it was started.
        command.env("CONTAINERS_CONF", self.dir.join("containers.conf")).current_dir(&self.dir);
        command.arg("--root").arg(self.dir.join("root")).arg("--runroot").arg(self.dir.join("run"));
        command.arg("--tmpdir").arg(self.dir.join("tmp"));
        command.args(["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
        // No `--runtime-flag`: the podman that cleans up after a container would not get it.
        command.arg("--runtime").arg(&self.runtime).args(arguments);
        command
    }

    /// `podman run` without a network unless it is on a host of its own, not started.
    pub fn run(&self, flags: &[&str], image: &str, program: &[&str]) -> Command {
        let parent = format!("--cgroup-parent=/{}", self.mark);
        let network = if self.host.is_some() { &[][..] } else { &["--network", "none"] };
        self.command(&[&["run", &parent], network, flags, &[image], program].concat())
    }

    /// Makes a pod, and returns its id.
    ///
    /// # Errors
    /// What podman says.
    pub fn pod(&self, flags: &[&str]) -> Result<String> {
        let parent = format!("--cgroup-parent=/{}", self.mark);
        self.ok(&[&["pod", "create", "--network", "none", &parent], flags].concat())
    }

    /// Runs a command line to its end with nothing on stdin.
    ///
    /// # Errors
    /// It could not be started.
    pub fn output(&self, arguments: &[&str]) -> Result<Output> {
        run(&mut self.command(arguments))
    }

    /// Runs a command line that must succeed, and returns its stdout without the last line end.
    ///
    /// # Errors
    /// It did not succeed: the message has everything it wrote.
    pub fn ok(&self, arguments: &[&str]) -> Result<String> {
        Ok(self.output(arguments)?.success()?.trim_end_matches('\n').to_owned())
    }

    /// One object of `podman inspect`.
    ///
    /// # Errors
    /// There is no such thing.
    pub fn inspect(&self, name: &str) -> Result<Value> {
        let mut all: Value = serde_json::from_str(&self.ok(&["inspect", name])?)?;
        Ok(all[0].take())
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // A test that failed says more than what its clean-up could not do.
        let _ = self.output(&["pod", "rm", "--all", "--force", "--time", "0"]);
        let _ = self.output(&["rm", "--all", "--force", "--time", "0"]);
        rest::wait_for_users(&self.dir);
        // Podman binds its storage directory to itself, sometimes more than once, and leaves it so.
        rest::unmount_below(&self.dir);
        rest::remove_cgroups(&self.mark);
    }
}
