//! containerd, driven by its own `ctr`.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::process::{Running, program, run, server};
use end_to_end::{Context, Result};

use super::peer::{Peer, daemon};

pub(crate) const NAME: &str = "containerd";

/// A containerd on private directories, without its Kubernetes half.
pub(crate) struct Daemon {
    socket: PathBuf,
    _process: Running,
}

impl Daemon {
    pub(crate) fn start(dir: &Path) -> Result<Daemon> {
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
        Ok(Daemon { socket, _process: process })
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

pub(crate) struct Containerd {
    daemon: Daemon,
    // ctr gives containers and execs no names of its own.
    number: Cell<u32>,
}

impl Containerd {
    pub(crate) fn start(dir: &Path) -> Result<Containerd> {
        Ok(Containerd { daemon: Daemon::start(dir)?, number: Cell::new(0) })
    }

    fn ctr(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.daemon.socket()).args(["--namespace", &super::mark()]).args(arguments);
        command
    }

    fn fresh(&self) -> String {
        self.number.set(self.number.get() + 1);
        format!("fresh-{}", self.number.get())
    }
}

impl Peer for Containerd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String> {
        let version = run(Command::new("containerd").arg("--version"))?.success()?;
        Ok(format!("containerd {}", version.split_whitespace().nth(2).unwrap_or_default()))
    }

    fn pull(&self, image: &str) -> Command {
        self.ctr(&["images", "pull", "--plain-http", image])
    }

    fn run_true(&self, image: &str) -> Command {
        self.ctr(&["run", "--rm", image, &self.fresh(), "true"])
    }

    fn start(&self, image: &str, name: &str) -> Result<i32> {
        run(&mut self.ctr(&["run", "--detach", image, name, "sleep", "1000000"]))?.success()?;
        let tasks = run(&mut self.ctr(&["tasks", "list"]))?.success()?;
        let row = tasks.lines().find(|line| line.split_whitespace().next() == Some(name));
        let pid = row.and_then(|row| row.split_whitespace().nth(1)?.parse().ok());
        pid.context(format!("ctr tasks list does not show {name}"))
    }

    fn exec_true(&self, name: &str) -> Command {
        self.ctr(&["tasks", "exec", "--exec-id", &self.fresh(), name, "true"])
    }

    fn remove(&self, name: &str) -> Result {
        run(&mut self.ctr(&["tasks", "delete", "--force", name]))?;
        run(&mut self.ctr(&["containers", "delete", name]))?.success().map(drop)
    }
}
