//! An OCI bundle of busybox, and the built `phial-runtime` on it: as an engine calls a runtime.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Output, find, run, shell_code, words};
use crate::{Context, Failure, Result, phial};

/// A bundle, and a place for the runtime's state.
#[derive(Debug)]
pub struct Bundle {
    program: PathBuf,
    dir: TempDir,
    /// What becomes `config.json` with the next command.
    pub config: Value,
}

impl Bundle {
    /// A root file system of busybox, and the configuration that `spec` writes, without a terminal.
    ///
    /// # Errors
    /// busybox is missing, or the program was not built.
    pub fn new() -> Result<Bundle> {
        let program = phial::program()?.with_file_name("phial-runtime");
        let dir = tempfile::Builder::new().prefix("phial-").tempdir()?;
        let rootfs = dir.path().join("rootfs");
        for name in ["bin", "dev", "proc", "sys", "tmp"] {
            fs::create_dir_all(rootfs.join(name))?;
        }
        let busybox = find("busybox").context("busybox is missing: 'cargo xtask setup' installs it")?;
        fs::copy(busybox, rootfs.join("bin/busybox"))?;
        for name in ["cat", "echo", "id", "ls", "readlink", "sh", "sleep", "stty", "test", "true", "tty"] {
            std::os::unix::fs::symlink("busybox", rootfs.join("bin").join(name))?;
        }
        run(Command::new(&program).arg("spec").current_dir(dir.path()))?.success()?;
        let mut config: Value = serde_json::from_slice(&fs::read(dir.path().join("config.json"))?)?;
        config["process"]["terminal"] = json!(false);
        let id = dir.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        config["linux"]["cgroupsPath"] = json!(format!("/{id}"));
        Ok(Bundle { program, dir, config })
    }

    /// The bundle's directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// An id that no other test uses.
    pub fn id(&self) -> String {
        self.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Gives the container a user namespace whose root is the host's 100000, to whom its root file system belongs.
    ///
    /// # Errors
    /// Of the file system; or the configuration has no namespaces.
    pub fn give_user_namespace(&mut self) -> Result {
        const HOST: u32 = 100_000;
        let namespaces = self.config["linux"]["namespaces"].as_array_mut().context("namespaces")?;
        namespaces.push(json!({"type": "user"}));
        let map = json!([{"containerID": 0, "hostID": HOST, "size": 65_536}]);
        self.config["linux"]["uidMappings"] = map.clone();
        self.config["linux"]["gidMappings"] = map;
        for path in [self.path().to_owned(), self.path().join("rootfs")] {
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
        }
        for name in [".", "bin", "dev", "proc", "sys", "tmp"] {
            std::os::unix::fs::chown(self.path().join("rootfs").join(name), Some(HOST), Some(HOST))?;
        }
        Ok(())
    }

    /// The program that the container runs.
    pub fn arguments(&mut self, arguments: &[&str]) {
        self.config["process"]["args"] = json!(arguments);
    }

    /// A command line of the runtime, not started, with the configuration as it is now on disk.
    ///
    /// # Errors
    /// The configuration cannot be written.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        // Whole or not at all: a command that still runs may be about to read it.
        let (file, temporary) = (self.path().join("config.json"), self.path().join(".config.json"));
        fs::write(&temporary, serde_json::to_vec(&self.config)?)?;
        fs::rename(temporary, file)?;
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(self.path().join("state")).args(arguments).current_dir(self.path());
        Ok(command)
    }

    /// Runs a command line to its end with nothing on stdin.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        run(&mut self.command(arguments)?)
    }

    /// Runs a command line that must succeed, and returns its stdout.
    ///
    /// # Errors
    /// It did not succeed.
    pub fn ok(&self, arguments: &[&str]) -> Result<String> {
        self.run(arguments)?.success()
    }

    /// Creates a container whose process has `/dev/null` as its streams: pipes of ours would stay open in it.
    ///
    /// # Errors
    /// It did not succeed.
    pub fn create(&self, arguments: &[&str]) -> Result {
        self.quiet(&[&["create"], arguments].concat())
    }

    /// Runs a command line that must succeed, and that leaves a process with our streams: `/dev/null`, and a file for what
    /// is wrong.
    ///
    /// # Errors
    /// It did not succeed.
    pub fn quiet(&self, arguments: &[&str]) -> Result {
        let errors = self.path().join("errors");
        let mut command = self.command(arguments)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&errors)?);
        match shell_code(command.status()?) {
            0 => Ok(()),
            code => Err(Failure::new(format!("`{}`: {code}: {}", words(&command), fs::read_to_string(errors)?))),
        }
    }

    /// What is in a file of a container's cgroups, by its name on v1 and on v2.
    ///
    /// # Errors
    /// There is neither.
    pub fn cgroup_file(&self, id: &str, v1: &str, v2: &str) -> Result<String> {
        let saved: Value = serde_json::from_slice(&fs::read(self.path().join("state").join(id).join("state.json"))?)?;
        let cgroups = saved["cgroups"].as_array().context("state.json has no cgroups")?;
        let files =
            cgroups.iter().filter_map(Value::as_str).flat_map(|path| [v1, v2].map(|file| Path::new(path).join(file)));
        let file = files.into_iter().find(|file| file.exists()).context(format!("neither {v1} nor {v2} is there"))?;
        Ok(fs::read_to_string(file)?.trim().to_owned())
    }

    /// `state` of a container.
    ///
    /// # Errors
    /// There is none.
    pub fn state(&self, id: &str) -> Result<Value> {
        serde_json::from_str(&self.ok(&["state", id])?).map_err(Into::into)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let ids = self.run(&["list", "-q"]).and_then(Output::success).unwrap_or_default();
        for id in ids.lines() {
            // A test that failed says more than what its clean-up could not do.
            let _ = self.run(&["delete", "--force", id]);
        }
    }
}
