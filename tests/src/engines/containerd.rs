//! containerd, driven by its own `ctr`.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{daemon, mark, rest};
use crate::process::{Output, Running, program, run, server};
use crate::{Context, Result};

/// A containerd on private directories, without its Kubernetes half.
#[derive(Debug)]
pub struct Daemon {
    dir: PathBuf,
    socket: PathBuf,
    _process: Running,
}

impl Daemon {
    /// Starts it below a directory.
    ///
    /// # Errors
    /// It is missing or ends at once.
    pub fn start(dir: &Path) -> Result<Daemon> {
        fs::create_dir_all(dir).context(dir.display())?;
        let socket = dir.join("sock");
        let config = dir.join("config.toml");
        let text = format!(
            "version = 2\nroot = '{0}/root'\nstate = '{0}/state'\ndisabled_plugins = ['io.containerd.grpc.v1.cri']\n\
             [grpc]\naddress = '{1}'\n[ttrpc]\naddress = '{1}.ttrpc'\n",
            dir.display(),
            socket.display()
        );
        fs::write(&config, text)?;
        let mut command = server(&program("containerd", "containerd")?)?;
        let process = daemon(command.arg("--config").arg(&config), &socket, &dir.join("log"))?;
        Ok(Daemon { dir: dir.to_owned(), socket, _process: process })
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        rest::unmount_below(&self.dir);
    }
}

/// A containerd and the client for it.
#[derive(Debug)]
pub struct Containerd {
    daemon: Daemon,
    namespace: String,
    runtime: Option<PathBuf>,
    // ctr gives containers and execs no names of its own.
    number: Cell<u32>,
}

impl Containerd {
    /// Starts it with its own runtime.
    ///
    /// # Errors
    /// It is missing or ends at once.
    pub fn start(dir: &Path) -> Result<Containerd> {
        Containerd::start_with(dir, None)
    }

    /// Starts it for containers that this program makes.
    ///
    /// # Errors
    /// It is missing or ends at once.
    pub fn with_runtime(dir: &Path, runtime: &Path) -> Result<Containerd> {
        Containerd::start_with(dir, Some(runtime.to_owned()))
    }

    fn start_with(dir: &Path, runtime: Option<PathBuf>) -> Result<Containerd> {
        Ok(Containerd { daemon: Daemon::start(dir)?, namespace: mark(), runtime, number: Cell::new(0) })
    }

    /// A command line of `ctr`, not started.
    pub fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.daemon.socket()).args(["--namespace", &self.namespace]).args(arguments);
        command
    }

    /// `ctr run OPTIONS…`, not started, with the runtime that was chosen.
    pub fn run(&self, arguments: &[&str]) -> Command {
        let mut command = self.ctr(&["run"]);
        if let Some(runtime) = &self.runtime {
            command.arg("--runc-binary").arg(runtime).arg("--runc-root").arg(self.daemon.dir.join("runc"));
        }
        command.args(arguments);
        command
    }

    /// Runs `ctr` to its end with nothing on stdin.
    ///
    /// # Errors
    /// It could not be started.
    pub fn output(&self, arguments: &[&str]) -> Result<Output> {
        run(&mut self.ctr(arguments))
    }

    /// A name that no container or exec has yet.
    pub fn fresh(&self) -> String {
        self.number.set(self.number.get() + 1);
        format!("fresh-{}", self.number.get())
    }

    /// Runs an image's program in the background, under this name.
    ///
    /// # Errors
    /// What ctr says.
    pub fn run_detached(&self, options: &[&str], image: &str, name: &str, program: &[&str]) -> Result {
        run(&mut self.run(&[options, &["--detach", image, name], program].concat()))?.success().map(drop)
    }

    /// The pid of a container's process.
    ///
    /// # Errors
    /// It does not run.
    pub fn pid(&self, name: &str) -> Result<i32> {
        let tasks = self.output(&["tasks", "list"])?.success()?;
        let row = tasks.lines().find(|line| line.split_whitespace().next() == Some(name));
        let pid = row.and_then(|row| row.split_whitespace().nth(1)?.parse().ok());
        pid.context(format!("ctr tasks list does not show {name}"))
    }

    /// Removes a container that runs.
    ///
    /// # Errors
    /// What ctr says.
    pub fn remove(&self, name: &str) -> Result {
        self.output(&["tasks", "delete", "--force", name])?;
        self.output(&["containers", "delete", name])?.success().map(drop)
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        // A test that failed says more than what its clean-up could not do.
        let names = self.output(&["containers", "list", "--quiet"]).and_then(Output::success).unwrap_or_default();
        for name in names.lines() {
            let _ = self.remove(name);
        }
        // `ctr` puts containers below a cgroup with the name of the namespace.
        rest::remove_cgroups(&self.namespace);
    }
}
