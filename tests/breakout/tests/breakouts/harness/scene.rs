//! A stage: a bundle with busybox and the attacker in it, a victim beside it that is the host's, and the runtime.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::process::find;
use end_to_end::{Context, Failure, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Verdict;
use super::config;
use super::runtime::{Runtime, Told};

/// The id of every container.
pub(crate) const ID: &str = "c";

/// The commands of busybox that the attacks use.
const COMMANDS: [&str; 23] = [
    "cat", "chroot", "echo", "grep", "head", "id", "ls", "mkdir", "mknod", "mount", "pwd", "readlink", "rm", "rmdir",
    "sh", "sleep", "stat", "test", "touch", "true", "tty", "umount", "unshare",
];

/// The stage. Everything on it goes with it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) runtime: Runtime,
    dir: TempDir,
    /// What becomes `config.json` with the next command.
    pub(crate) config: Value,
    before: Vec<String>,
}

impl Scene {
    /// A stage for this runtime.
    ///
    /// # Errors
    /// busybox is missing.
    pub(crate) fn new(runtime: &Runtime) -> Result<Scene> {
        let dir = tempfile::Builder::new().prefix("phial-breakout-").tempdir()?;
        let at = |name: &str| dir.path().join(name);
        for name in ["bundle/rootfs", "victim/directory", "state", "volume"] {
            fs::create_dir_all(at(name))?;
        }
        fs::write(at("victim/secret"), "secret of the host\n")?;
        fill(&at("bundle/rootfs"))?;
        let id = dir.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut scene = Scene { runtime: runtime.clone(), dir, config: config::unprivileged(&id), before: Vec::new() };
        scene.before = scene.look();
        Ok(scene)
    }

    /// A path of the stage.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path in the container's root, as the host sees it.
    pub(crate) fn inside(&self, name: &str) -> PathBuf {
        self.path("bundle/rootfs").join(name)
    }

    /// The host's directory that nobody in a container may reach.
    pub(crate) fn victim(&self) -> PathBuf {
        self.path("victim")
    }

    /// A directory that the container and its accomplice share.
    pub(crate) fn volume(&self) -> PathBuf {
        self.path("volume")
    }

    /// Name of the container's cgroup.
    pub(crate) fn cgroup(&self) -> String {
        self.config["linux"]["cgroupsPath"].as_str().unwrap_or_default().trim_start_matches('/').to_owned()
    }

    /// The program that the container runs.
    pub(crate) fn arguments(&mut self, arguments: &[&str]) {
        self.config["process"]["args"] = json!(arguments);
    }

    /// The script that the container runs.
    pub(crate) fn script(&mut self, script: &str) {
        self.arguments(&["sh", "-c", script]);
    }

    /// With a user namespace of its own, whose root is a user of the host without a name.
    ///
    /// # Errors
    /// The files cannot be given to that user.
    pub(crate) fn in_user_namespace(&mut self) -> Result {
        const FIRST: u32 = 100_000;
        let map = json!([{"containerID": 0, "hostID": FIRST, "size": 65_536}]);
        self.config["linux"]["uidMappings"] = map.clone();
        self.config["linux"]["gidMappings"] = map;
        let namespaces = self.config["linux"]["namespaces"].as_array_mut().expect("the configuration has namespaces");
        namespaces.push(json!({"type": "user"}));
        let readable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.dir.path(), readable)?;
        let mut chown = Command::new("chown");
        let root = self.path("bundle/rootfs");
        end_to_end::process::run(chown.args(["-R", &format!("{FIRST}:{FIRST}")]).arg(root))?.success().map(drop)
    }

    /// Takes the host as it is now for what it was in the beginning.
    pub(crate) fn remember(&mut self) {
        self.before = self.look();
    }

    /// One more mount.
    pub(crate) fn mount(&mut self, mount: Value) {
        self.config["mounts"].as_array_mut().expect("the configuration has mounts").push(mount);
    }

    /// One more bind mount, of a path of the host.
    pub(crate) fn bind(&mut self, source: &Path, destination: &str) {
        self.mount(json!({"destination": destination, "type": "bind", "source": source, "options": ["bind", "rw"]}));
    }

    /// Without the mounts on and below this path.
    pub(crate) fn without_mount(&mut self, destination: &str) {
        let mounts = self.config["mounts"].as_array_mut().expect("the configuration has mounts");
        mounts.retain(|mount| !mount["destination"].as_str().is_some_and(|path| path.starts_with(destination)));
    }

    /// A command line of the runtime, with the configuration on disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<Command> {
        let file = self.path("bundle/config.json");
        fs::write(&file, self.config.to_string()).context(file.display())?;
        let state = self.path("state").display().to_string();
        let mut command = self.runtime.command([&["--root", &state], arguments].concat());
        command.current_dir(self.path("bundle"));
        Ok(command)
    }

    /// Any verb, to its end.
    ///
    /// # Errors
    /// It cannot be started or does not end.
    pub(crate) fn verb(&self, arguments: &[&str]) -> Result<Told> {
        self.runtime.finish(&mut self.command(arguments)?, self.dir.path())
    }

    /// Runs the container to its end; nothing stays of it.
    ///
    /// # Errors
    /// The runtime cannot be started or does not end.
    pub(crate) fn run(&self) -> Result<Told> {
        self.run_with(&[])
    }

    /// The same with options of `run`.
    ///
    /// # Errors
    /// The runtime cannot be started or does not end.
    pub(crate) fn run_with(&self, options: &[&str]) -> Result<Told> {
        let told = self.verb(&[&["run"], options, &[ID]].concat())?;
        if !told.is_done() {
            self.end()?;
        }
        Ok(told)
    }

    /// Starts the container, which stays.
    ///
    /// # Errors
    /// It could not be made.
    pub(crate) fn start(&self) -> Result {
        self.verb(&["create", ID])?.success()?;
        self.verb(&["start", ID])?.success().map(drop)
    }

    /// A further process in the container.
    ///
    /// # Errors
    /// The runtime cannot be started or does not end.
    pub(crate) fn exec(&self, arguments: &[&str]) -> Result<Told> {
        self.verb(&[&["exec"], arguments].concat())
    }

    /// Removes the container, if there is one.
    ///
    /// # Errors
    /// The runtime cannot be started or does not end.
    pub(crate) fn end(&self) -> Result {
        // Some say that there was nothing to delete.
        self.verb(&["delete", "--force", ID]).map(drop)
    }

    /// Held, if the host is as it was.
    pub(crate) fn untouched(&self) -> Verdict {
        let now = self.look();
        Verdict::held_if(now == self.before, || {
            let new = now.iter().filter(|line| !self.before.contains(line)).map(|line| format!("now: {line}"));
            let gone = self.before.iter().filter(|line| !now.contains(line)).map(|line| format!("gone: {line}"));
            let all: Vec<String> = new.chain(gone).collect();
            self.without_names(&format!("the host was changed: {}", all.join(", ")))
        })
    }

    /// A text without the stage's own name, which is another one each time.
    pub(crate) fn without_names(&self, text: &str) -> String {
        text.replace(&self.dir.path().display().to_string(), "HOST")
    }

    /// Everything about the victim, and what of the stage is mounted on the host.
    fn look(&self) -> Vec<String> {
        let mut lines = Vec::new();
        list(&self.victim(), &mut lines);
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let name = self.dir.path().display().to_string();
        lines.extend(table.lines().filter(|line| line.contains(&name)).map(str::to_owned));
        lines.sort();
        lines
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // A row that failed says more than what its clean-up could not do.
        let _ = self.end();
    }
}

/// What a small image has.
fn fill(rootfs: &Path) -> Result {
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(rootfs.join(name))?;
    }
    let busybox = find("busybox").context("busybox is missing: 'cargo xtask setup' installs it")?;
    fs::copy(busybox, rootfs.join("bin/busybox"))?;
    fs::copy(env!("CARGO_BIN_EXE_breakout_attacker"), rootfs.join("bin/attacker"))?;
    for name in COMMANDS {
        symlink("busybox", rootfs.join("bin").join(name))?;
    }
    fs::write(rootfs.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n")?;
    fs::write(rootfs.join("etc/group"), "root:x:0:\n").map_err(Failure::from)
}

/// Name, kind, owner, size, number of names, time and content of everything below.
pub(crate) fn list(path: &Path, lines: &mut Vec<String>) {
    let Ok(found) = fs::symlink_metadata(path) else { return lines.push(format!("{}: gone", path.display())) };
    let (times, owner) = ((found.mtime(), found.mtime_nsec()), (found.uid(), found.gid()));
    let content = if found.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
    lines.push(format!(
        "{} {:o} {owner:?} {} {times:?} {} {:?}",
        path.display(),
        found.mode(),
        found.len(),
        found.nlink(),
        String::from_utf8_lossy(&content)
    ));
    if found.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            list(&entry.path(), lines);
        }
    }
}
