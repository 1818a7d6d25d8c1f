//! A container that this program has made: what is kept of it in a directory of its own below `--root`, and what the
//! kernel says of it now.
//!
//! | file | what it is |
//! |---|---|
//! | `state.json` | [`Saved`]; written once the process waits for its start |
//! | `config.json` | the configuration as it was when the container was created |
//! | `start` | a fifo, until the container was started |
//!
//! There is no lock: the directory is made once, and everything else follows from the kernel.

/// Ids that are names of directories.
mod id;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;
use runtime::cgroup::{Cgroups, Driver};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::command_line::Global;
use crate::failure::{Failure, Result};
pub(crate) use id::check as check_id;

/// Version of [`Saved`]. Raised when a reader of the previous one would misunderstand.
const VERSION: u32 = 1;

const STATE: &str = "state.json";
const CONFIG: &str = "config.json";
/// Name of the fifo through which a container is started.
const GATE: &str = "start";

/// What is kept of a container. Names are runc's where runc has the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) version: u32,
    pub(crate) id: String,
    /// Of the container's first process, as this pid namespace sees it.
    pub(crate) init_process_pid: i32,
    /// When that was started, in clock ticks since the boot: with the pid it names one process for good.
    pub(crate) init_process_start: u64,
    /// RFC 3339.
    pub(crate) created: String,
    pub(crate) bundle: PathBuf,
    pub(crate) rootfs: PathBuf,
    /// Directories of its cgroups on the host.
    pub(crate) cgroups: Vec<PathBuf>,
    /// Who has made them, and removes them.
    #[serde(default)]
    pub(crate) cgroup_driver: Driver,
    /// Files of its namespaces.
    pub(crate) namespace_paths: BTreeMap<String, PathBuf>,
    /// Those that a further process enters, as `CLONE_NEW*` bits.
    pub(crate) namespaces: u64,
    /// Without a mount namespace of its own: the mount of its root.
    #[serde(default)]
    pub(crate) root_mount: Option<u64>,
}

/// What a container is doing (runtime-spec `runtime.md`, "State").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Its process waits for the start.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its process has ended.
    Stopped,
}

impl Status {
    /// As the specification writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}

/// A container.
#[derive(Debug)]
pub(crate) struct Container {
    directory: PathBuf,
    pub(crate) saved: Saved,
}

/// Where containers are kept.
pub(crate) fn root(global: &Global) -> Result<PathBuf> {
    if let Some(root) = &global.root {
        return Ok(root.clone());
    }
    if rustix::process::geteuid().is_root() && global.rootless != Some(true) {
        return Ok(PathBuf::from("/run/phial-runtime"));
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty());
    let runtime =
        runtime.ok_or_else(|| Failure::new("neither --root nor XDG_RUNTIME_DIR says where containers are kept"))?;
    Ok(Path::new(&runtime).join("phial-runtime"))
}

/// The directory of a container that is being made. Dropped without [`keep`](New::keep), it goes.
#[derive(Debug)]
pub(crate) struct New {
    id: String,
    directory: PathBuf,
    kept: bool,
}

impl New {
    /// Makes it: whoever makes it first has the id.
    pub(crate) fn make(global: &Global, id: &str) -> Result<New> {
        check_id(id)?;
        let root = root(global)?;
        let directory = root.join(id);
        let mut made = fs::DirBuilder::new().mode(0o711).create(&directory);
        if made.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            let mut private = fs::DirBuilder::new();
            private
                .mode(0o711)
                .recursive(true)
                .create(&root)
                .map_err(|error| Failure::system(root.display(), error))?;
            made = fs::DirBuilder::new().mode(0o711).create(&directory);
        }
        match made {
            Ok(()) => Ok(New { id: id.to_owned(), directory, kept: false }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(Failure::new(format!("container with given ID already exists: {id}"))
                    .with_hint("delete it, or use another id"))
            }
            Err(error) => Err(Failure::system(directory.display(), error)),
        }
    }

    /// The container's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Keeps the configuration.
    pub(crate) fn keep_config(&self, config: &[u8]) -> Result<()> {
        let path = self.directory.join(CONFIG);
        crate::files::write(&path, config).map_err(|error| Failure::system(path.display(), error))
    }

    /// Makes the fifo through which it is started.
    pub(crate) fn make_gate(&self) -> Result<PathBuf> {
        let gate = self.directory.join(GATE);
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600));
        rustix::fs::mknodat(rustix::fs::CWD, &gate, kind, mode, 0)
            .map_err(|errno| Failure::system(gate.display(), errno))?;
        Ok(gate)
    }

    /// The container is made.
    pub(crate) fn keep(mut self, saved: Saved) -> Result<Container> {
        let container = Container { directory: self.directory.clone(), saved };
        container.save()?;
        self.kept = true;
        Ok(container)
    }
}

impl Drop for New {
    fn drop(&mut self) {
        if !self.kept {
            // What stays is found by its id: 'delete --force' removes it.
            fs::remove_dir_all(&self.directory).ok();
        }
    }
}

impl Saved {
    /// Of a container whose process was just made.
    pub(crate) fn new(
        id: &str,
        process: Pid,
        bundle: &Path,
        rootfs: &Path,
        cgroups: &Cgroups,
        namespaces: u64,
    ) -> Saved {
        let pid = process.as_raw_nonzero().get();
        let kinds = [
            ("NEWNS", "mnt"),
            ("NEWUTS", "uts"),
            ("NEWIPC", "ipc"),
            ("NEWPID", "pid"),
            ("NEWNET", "net"),
            ("NEWUSER", "user"),
            ("NEWCGROUP", "cgroup"),
            ("NEWTIME", "time"),
        ];
        let path = |(name, file): (&str, &str)| (name.to_owned(), PathBuf::from(format!("/proc/{pid}/ns/{file}")));
        Saved {
            version: VERSION,
            id: id.to_owned(),
            init_process_pid: pid,
            init_process_start: started(pid).unwrap_or_default(),
            created: crate::failure::now(),
            bundle: bundle.to_owned(),
            rootfs: rootfs.to_owned(),
            cgroups: cgroups.paths().map(Path::to_owned).collect(),
            cgroup_driver: cgroups.driver(),
            namespace_paths: kinds.into_iter().map(path).collect(),
            namespaces,
            root_mount: None,
        }
    }
}

impl Container {
    /// The container with this id.
    pub(crate) fn load(global: &Global, id: &str) -> Result<Container> {
        check_id(id)?;
        let directory = root(global)?.join(id);
        let path = directory.join(STATE);
        let text = match crate::files::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Engines look for these words.
                return Err(Failure::new(format!("container does not exist: {id}")));
            }
            other => other.map_err(|error| Failure::system(path.display(), error))?,
        };
        let saved: Saved = serde_json::from_slice(&text).map_err(|error| Failure::system(path.display(), error))?;
        if saved.version != VERSION {
            return Err(Failure::new(format!("{}: version {} is not {VERSION}", path.display(), saved.version)));
        }
        Ok(Container { directory, saved })
    }

    /// All of them, by id; one that is being made or removed is none.
    pub(crate) fn all(global: &Global) -> Result<Vec<Container>> {
        let root = root(global)?;
        let entries = match fs::read_dir(&root) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| Failure::system(root.display(), error))?,
        };
        let mut ids: Vec<String> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        ids.sort();
        Ok(ids.iter().filter_map(|id| Container::load(global, id).ok()).collect())
    }

    /// Those with an id in which this regular expression is found.
    pub(crate) fn matching(global: &Global, expression: &str) -> Result<Vec<Container>> {
        let expression = regex_lite::Regex::new(expression)
            .map_err(|error| Failure::system(format!("--regex {expression:?}"), error))?;
        let mut found = Container::all(global)?;
        found.retain(|container| expression.is_match(&container.saved.id));
        Ok(found)
    }

    fn save(&self) -> Result<()> {
        let path = self.directory.join(STATE);
        let text = serde_json::to_vec(&self.saved).map_err(|error| Failure::system(path.display(), error))?;
        crate::files::replace(&path, &text).map_err(|error| Failure::system(path.display(), error))
    }

    /// The configuration as it was when the container was created.
    pub(crate) fn config(&self) -> Result<Spec> {
        let path = self.directory.join(CONFIG);
        let text = crate::files::read(&path).map_err(|error| Failure::system(path.display(), error))?;
        serde_json::from_slice(&text).map_err(|error| Failure::system(path.display(), error))
    }

    /// Changes that configuration; what `change` does besides is done by one at a time. If it fails, nothing is changed.
    pub(crate) fn change_config(&self, change: impl FnOnce(&mut serde_json::Value) -> Result<()>) -> Result<()> {
        let path = self.directory.join(CONFIG);
        let failed = |error: &dyn std::fmt::Display| Failure::system(path.display(), error);
        let lock = fs::File::open(&self.directory).map_err(|error| failed(&error))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|errno| failed(&errno))?;
        let text = crate::files::read(&path).map_err(|error| failed(&error))?;
        let mut config = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
        change(&mut config)?;
        let text = serde_json::to_vec(&config).map_err(|error| failed(&error))?;
        crate::files::replace(&path, &text).map_err(|error| failed(&error))
    }

    /// The fifo that starts it, while it is there.
    pub(crate) fn gate(&self) -> PathBuf {
        self.directory.join(GATE)
    }

    /// A descriptor of the container's first process; None when that has ended.
    pub(crate) fn process(&self) -> Option<OwnedFd> {
        let pidfd = pidfd_open(Pid::from_raw(self.saved.init_process_pid)?, PidfdFlags::empty()).ok()?;
        // Looked at once it is held: if it is the right one now, it stays that one.
        (started(self.saved.init_process_pid) == Some(self.saved.init_process_start)).then_some(pidfd)
    }

    /// What it is doing.
    pub(crate) fn status(&self) -> Result<Status> {
        if self.process().is_none() {
            return Ok(Status::Stopped);
        }
        // One that was not started can be frozen as well, and nothing can be done with it before it is let go.
        if self.cgroups()?.is_frozen()? {
            return Ok(Status::Paused);
        }
        Ok(if self.gate().exists() { Status::Created } else { Status::Running })
    }

    /// Its cgroups.
    pub(crate) fn cgroups(&self) -> Result<Cgroups> {
        Ok(Cgroups::open_with(self.saved.cgroup_driver, &self.saved.cgroups)?)
    }

    /// The user who has made it.
    pub(crate) fn owner(&self) -> Option<u32> {
        fs::metadata(&self.directory).ok().map(|directory| directory.uid())
    }

    /// Removes what is kept of it.
    pub(crate) fn forget(&self) -> Result<()> {
        // Of these some may be missing; what else there is stops the removal of the directory, a gate for one.
        for file in [CONFIG, STATE] {
            rustix::fs::unlink(self.directory.join(file)).ok();
        }
        if rustix::fs::rmdir(&self.directory).is_ok() {
            return Ok(());
        }
        fs::remove_dir_all(&self.directory).map_err(|error| Failure::system(self.directory.display(), error))
    }
}

/// When a process was started, in clock ticks since the boot (`proc_pid_stat(5)`, field 22); None if it has ended.
fn started(pid: i32) -> Option<u64> {
    let bytes = sys::file::read(rustix::fs::CWD, format!("/proc/{pid}/stat")).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    // The name is in parentheses and may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Removes what is left of a container that was never whole, if it is there.
///
/// # Errors
/// Those of the file system.
pub(crate) fn clear(global: &Global, id: &str) -> Result<()> {
    check_id(id)?;
    let directory = root(global)?.join(id);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::system(directory.display(), error)),
        _ => Ok(()),
    }
}
