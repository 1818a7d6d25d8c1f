//! Docker: Debian's dockerd with a containerd of its own, no bridge and no firewall rules, on private directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::process::{Running, program, run, server};
use end_to_end::{Context, Result};

use super::containerd::Daemon;
use super::peer::{Peer, daemon, pid_of_inspected};

pub(crate) const NAME: &str = "docker";

pub(crate) struct Docker {
    client: PathBuf,
    socket: PathBuf,
    // Dropped in this order: dockerd needs containerd to the end.
    _dockerd: Running,
    _containerd: Daemon,
}

impl Docker {
    pub(crate) fn start(dir: &Path) -> Result<Docker> {
        fs::create_dir_all(dir).context(dir.display())?;
        let containerd = Daemon::start(&dir.join("containerd"))?;
        let socket = dir.join("docker.sock");
        let config = dir.join("daemon.json");
        fs::write(&config, "{}\n")?;
        let mut dockerd = server(&program("dockerd", "docker.io")?)?;
        dockerd.arg("--config-file").arg(&config).arg("--host").arg(format!("unix://{}", socket.display()));
        dockerd.arg("--data-root").arg(dir.join("data")).arg("--exec-root").arg(dir.join("exec"));
        dockerd.arg("--pidfile").arg(dir.join("pid")).arg("--containerd").arg(containerd.socket());
        dockerd.args([
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
        ]);
        dockerd.args(["--exec-opt", "native.cgroupdriver=cgroupfs", &format!("--cgroup-parent=/{}", super::mark())]);
        dockerd.args(["--storage-driver=overlay2", "--userland-proxy=false"]);
        let dockerd = daemon(&mut dockerd, &socket, &dir.join("log"))?;
        // A newer client may stand earlier on the search path: Debian's own belongs to this daemon.
        let debian = PathBuf::from("/usr/bin/docker");
        let client = if debian.is_file() { debian } else { program("docker", "docker.io")? };
        Ok(Docker { client, socket, _dockerd: dockerd, _containerd: containerd })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.client);
        command.arg("--host").arg(format!("unix://{}", self.socket.display())).args(arguments);
        command
    }
}

impl Peer for Docker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String> {
        let version = run(&mut self.command(&["version", "--format", "docker {{.Server.Version}}"]))?.success()?;
        Ok(version.trim().to_owned())
    }

    fn pull(&self, image: &str) -> Command {
        self.command(&["pull", image])
    }

    fn run_true(&self, image: &str) -> Command {
        self.command(&["run", "--rm", "--network", "none", image, "true"])
    }

    fn start(&self, image: &str, name: &str) -> Result<i32> {
        let sleep = ["run", "-d", "--network", "none", "--name", name, image, "sleep", "1000000"];
        run(&mut self.command(&sleep))?.success()?;
        pid_of_inspected(&run(&mut self.command(&["inspect", name]))?.success()?)
    }

    fn exec_true(&self, name: &str) -> Command {
        self.command(&["exec", name, "true"])
    }

    fn remove(&self, name: &str) -> Result {
        run(&mut self.command(&["rm", "--force", name]))?.success().map(drop)
    }
}
