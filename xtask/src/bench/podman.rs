//! Podman on private directories. It has no daemon. Its runtime is crun as in Debian's own configuration, or runc where
//! crun refuses the host (version 1.8 does so with controllers in the second hierarchy of a hybrid one).

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::process::{program, run};
use end_to_end::{Context, Result};

use super::peer::{Peer, pid_of_inspected};

pub(crate) const NAME: &str = "podman";

pub(crate) struct Podman {
    program: PathBuf,
    dir: PathBuf,
    runtime: Cell<&'static str>,
}

/// Podman's own defaults are more than a host without `CAP_SYS_RESOURCE` allows.
const ULIMITS: [&str; 4] = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:1024"];

impl Podman {
    pub(crate) fn new(dir: &Path) -> Result<Podman> {
        fs::create_dir_all(dir).context(dir.display())?;
        Ok(Podman { program: program("podman", "podman")?, dir: dir.to_owned(), runtime: Cell::new("crun") })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(self.dir.join("root")).arg("--runroot").arg(self.dir.join("run"));
        command.arg("--tmpdir").arg(self.dir.join("tmp"));
        command.args(["--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
        command.arg("--runtime").arg(self.runtime.get()).args(arguments);
        command
    }

    fn run(&self, flags: &[&str], image: &str, program: &[&str]) -> Command {
        self.command(&[&["run", "--network", "none"], &ULIMITS[..], flags, &[image], program].concat())
    }
}

impl Peer for Podman {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String> {
        let version = run(Command::new(&self.program).arg("--version"))?.success()?;
        Ok(format!("{} with {}", version.trim().replace(" version", ""), self.runtime.get()))
    }

    fn prepare(&self, image: &str) -> Result {
        run(&mut self.pull(image))?.success()?;
        if run(&mut self.run_true(image))?.code == 0 {
            return Ok(());
        }
        self.runtime.set("runc");
        run(&mut self.run_true(image))?.success().map(drop)
    }

    fn pull(&self, image: &str) -> Command {
        self.command(&["pull", "--tls-verify=false", image])
    }

    fn run_true(&self, image: &str) -> Command {
        self.run(&["--rm"], image, &["true"])
    }

    fn start(&self, image: &str, name: &str) -> Result<i32> {
        run(&mut self.run(&["-d", "--name", name], image, &["sleep", "1000000"]))?.success()?;
        pid_of_inspected(&run(&mut self.command(&["inspect", name]))?.success()?)
    }

    fn exec_true(&self, name: &str) -> Command {
        self.command(&["exec", name, "true"])
    }

    fn remove(&self, name: &str) -> Result {
        run(&mut self.command(&["rm", "--force", "--time", "0", name]))?.success().map(drop)
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Podman binds its storage directory to itself, sometimes more than once, and leaves it so.
        let overlay = self.dir.join("root/overlay");
        while run(Command::new("umount").arg("--quiet").arg(&overlay)).is_ok_and(|output| output.code == 0) {}
    }
}
