//! Docker: Debian's dockerd with a containerd of its own, on private directories. It has no bridge and no firewall rules,
//! unless it is on a host of the test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::containerd::Daemon;
use super::{daemon, mark, rest};
use crate::lan::Machine;
use crate::namespace::Namespace;
use crate::process::{Output, Running, program, run, server};
use crate::{Context, Result};

/// A dockerd and the client for it.
#[derive(Debug)]
pub struct Docker {
    client: PathBuf,
    socket: PathBuf,
    dir: PathBuf,
    mark: String,
    /// The network namespace that it runs in, if it is not the one of the test.
    network: Option<Namespace>,
    // Dropped in this order: dockerd needs containerd to the end.
    dockerd: Option<Running>,
    containerd: Option<Daemon>,
}

impl Docker {
    /// Starts it with its own runtime.
    ///
    /// # Errors
    /// It is missing or ends at once.
    pub fn start(dir: &Path) -> Result<Docker> {
        Docker::with_config(dir, &json!({}))
    }

    /// Starts it with this program as its only runtime.
    ///
    /// # Errors
    /// It is missing or ends at once.
    pub fn with_runtime(dir: &Path, runtime: &Path) -> Result<Docker> {
        Docker::with_config(dir, &json!({"runtimes": {"phial": {"path": runtime}}, "default-runtime": "phial"}))
    }

    fn with_config(dir: &Path, settings: &Value) -> Result<Docker> {
        Docker::prepare(dir, settings, None)?.started()
    }

    /// Starts it on a host of the test's own, where it has its bridge and its firewall rules as it has them by default.
    ///
    /// # Errors
    /// It is missing or ends at once.
    pub fn on(dir: &Path, host: &Machine) -> Result<Docker> {
        Docker::prepare(dir, &json!({}), Some(Namespace::clone(host)))?.started()
    }

    /// The same without a process per published port, with which docker starts slower.
    ///
    /// # Errors
    /// It is missing or ends at once.
    pub fn without_proxy_on(dir: &Path, host: &Machine) -> Result<Docker> {
        Docker::prepare(dir, &json!({"userland-proxy": false}), Some(Namespace::clone(host)))?.started()
    }

    fn prepare(dir: &Path, settings: &Value, network: Option<Namespace>) -> Result<Docker> {
        fs::create_dir_all(dir).context(dir.display())?;
        let containerd = Some(Daemon::start(&dir.join("containerd"))?);
        fs::write(dir.join("daemon.json"), serde_json::to_vec(settings)?)?;
        // A newer client may stand earlier on the search path: Debian's own belongs to this daemon.
        let debian = PathBuf::from("/usr/bin/docker");
        let client = if debian.is_file() { debian } else { program("docker", "docker.io")? };
        let (socket, dir) = (dir.join("docker.sock"), dir.to_owned());
        Ok(Docker { client, socket, dir, mark: mark(), network, dockerd: None, containerd })
    }

    fn started(mut self) -> Result<Docker> {
        self.start_daemon()?;
        Ok(self)
    }

    /// Starts the daemon anew after [`Docker::stop_daemon`].
    ///
    /// # Errors
    /// It ends at once.
    pub fn start_daemon(&mut self) -> Result {
        let (dir, containerd) = (&self.dir, self.containerd.as_ref().context("containerd runs")?);
        let mut dockerd = server(&program("dockerd", "docker.io")?)?;
        if let Some(network) = &self.network {
            let mut there = network.command(dockerd.get_program(), &[]);
            there.args(dockerd.get_args());
            dockerd = there;
        }
        dockerd.arg("--config-file").arg(dir.join("daemon.json"));
        dockerd.arg("--host").arg(format!("unix://{}", self.socket.display()));
        dockerd.arg("--data-root").arg(dir.join("data")).arg("--exec-root").arg(dir.join("exec"));
        dockerd.arg("--pidfile").arg(dir.join("pid")).arg("--containerd").arg(containerd.socket());
        if self.network.is_none() {
            let off = ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"];
            dockerd.args(["--bridge=none", "--userland-proxy=false"]).args(off);
        }
        dockerd.args(["--exec-opt", "native.cgroupdriver=cgroupfs", &format!("--cgroup-parent=/{}", self.mark)]);
        dockerd.arg("--storage-driver=overlay2");
        self.dockerd = Some(daemon(&mut dockerd, &self.socket, &dir.join("log"))?);
        Ok(())
    }

    /// Stops the daemon, and with it the containers.
    pub fn stop_daemon(&mut self) {
        self.dockerd = None;
    }

    /// A command line of `docker`, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.client);
        command.arg("--host").arg(format!("unix://{}", self.socket.display())).args(arguments);
        // The user's own configuration has no part in this.
        command.env("HOME", &self.dir).env_remove("DOCKER_CONFIG").env_remove("DOCKER_CONTEXT");
        command
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

    /// One object of `docker inspect`.
    ///
    /// # Errors
    /// There is no such thing.
    pub fn inspect(&self, name: &str) -> Result<Value> {
        let mut all: Value = serde_json::from_str(&self.ok(&["inspect", name])?)?;
        Ok(all[0].take())
    }

    /// The end of the daemon's log, for messages.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let ids = self.ok(&["ps", "--all", "--quiet"]).unwrap_or_default();
        for id in ids.lines() {
            // A test that failed says more than what its clean-up could not do.
            let _ = self.output(&["rm", "--force", "--volumes", id]);
        }
        self.dockerd = None;
        self.containerd = None;
        rest::unmount_below(&self.dir);
        rest::remove_cgroups(&self.mark);
    }
}
