//! Commands that builds run: containers without a row, on layers of the caller's choice, whose changes are the caller's.
//!
//! `ps` does not list them, and nobody can attach to them. They are killed when whoever started them is gone, and what they
//! leave besides their changes is collected by the next command, as of any container that was not finished.

/// Sockets of this host in such a container.
mod forward;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use runtime::protocol::{Request, Rootfs, StdinMode, WindowSize};
use store::{ContainerId, ContainerRecord, Digest};

use super::create::{EMPTY, Places, Prepared, Unstarted, identity, readable};
use crate::config::{ContainerConfig, ImageMount, Mount, MountKind, Origin, Propagation, RecursiveReadOnly};
use crate::containers::create::Created;
use crate::engine::Engine;
use crate::error::{Context, Result};
use crate::images::merged::Merged;
use crate::session::{Connection, Session};
use crate::volumes::Sources;
use crate::words::ago;

/// A command, and what it sees.
#[derive(Debug, Clone, Default)]
pub struct StepCommand {
    /// Everything that flags of `run` can say; volumes and other images are not mounted.
    pub config: ContainerConfig,
    /// Layer directories of its root, the topmost first.
    pub layers: Vec<PathBuf>,
    /// Where its changes go.
    pub upper: PathBuf,
    /// Overlayfs's work directory: empty, on the same file system.
    pub work: PathBuf,
    /// Further trees that it sees.
    pub trees: Vec<StepTree>,
    /// Files in memory that it sees: secrets.
    pub files: Vec<StepFile>,
    /// Sockets of this host that it can connect to.
    pub sockets: Vec<StepSocket>,
}

/// A file in memory that a command sees, and nobody else.
#[derive(Debug, Clone, Default)]
pub struct StepFile {
    /// Where.
    pub target: PathBuf,
    /// What is in it.
    pub content: Vec<u8>,
    /// Whose it is.
    pub access: Access,
}

/// A socket of this host that a command can connect to, as another one that is its own.
#[derive(Debug, Clone, Default)]
pub struct StepSocket {
    /// Where.
    pub target: PathBuf,
    /// The socket of this host.
    pub connects_to: PathBuf,
    /// Whose it is.
    pub access: Access,
}

/// Whose a file is, and what others may do with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Access {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// A command that runs. It ends with this.
#[derive(Debug)]
pub struct RunningStep {
    /// Its container.
    pub id: ContainerId,
    /// Its streams.
    pub session: Session,
    /// What leads to sockets of this host as long as it runs.
    pub forwards: Vec<Forward>,
}

pub use forward::Forward;

/// A tree of layers somewhere in the root.
#[derive(Debug, Clone, Default)]
pub struct StepTree {
    /// Where.
    pub target: PathBuf,
    /// Layer directories, the topmost first; not none.
    pub layers: Vec<PathBuf>,
    /// What of it is seen, if not all.
    pub subpath: Option<PathBuf>,
    /// Whether it can be changed; what is changed is nobody's, and gone with the command.
    pub writable: bool,
}

impl Engine {
    /// Starts a command, which ends with the session. With `-t` the terminal is `window` large.
    ///
    /// # Errors
    /// As [`Engine::create`] and [`Engine::start`]; then nothing of it is left.
    pub fn start_step(&self, command: &StepCommand, window: Option<WindowSize>) -> Result<RunningStep> {
        let id = ContainerId::generate()?;
        let config = ContainerConfig { auto_remove: true, ..command.config.clone() };
        let config = self.with_ids_of_networks(self.with_ids_of_others(config)?)?;
        let reservation = self.store.reserve_container(&id)?;
        let (directory, mut sources, mut config) = (reservation.dir(), Sources::default(), config);
        for (number, tree) in command.trees.iter().enumerate() {
            let mount = mount_of(number, tree, &directory, &mut sources)?;
            config.mounts.push(mount);
        }
        let bundle = self.paths().run_container(&id);
        for (number, file) in command.files.iter().enumerate() {
            config.mounts.push(file.make(&bundle.join(format!("file-{number}")))?);
        }
        let mut forwards = Vec::new();
        for (number, socket) in command.sockets.iter().enumerate() {
            let path = bundle.join(format!("socket-{number}"));
            forwards.push(Forward::listen(&path, &socket.connects_to)?);
            socket.access.give(&path)?;
            config.mounts.push(bind(&path, &socket.target, false));
        }
        let merged = Merged::open(&command.layers)?;
        let identity = identity(&merged, config.user.as_deref().unwrap_or_default(), &config.group_add)?;
        let host = self.host(&config)?;
        let prepared = Prepared {
            image_config: image::Config::default(),
            config,
            identity,
            host,
            layers: command.layers.clone(),
            merged,
            unstarted: Unstarted::Collect,
        };
        readable(&directory.join(EMPTY), |path| std::fs::create_dir(path), 0o755)?;
        let record = record_of(id, &prepared.config)?;
        let places = Places { directory: &directory, bundle: &self.bundle(&record) };
        prepared.write_files(&id.hex(), &places, &sources, false)?;
        let Prepared { config, layers, .. } = prepared;
        let lock = reservation.without_row()?;
        let created = Created { record, config, lock, layers, again: false, restarts: 0 };
        let session =
            self.step_asked(&created, command, window).and_then(|asked| Session::started("of the build", asked));
        match session {
            Ok(session) => Ok(RunningStep { id, session, forwards }),
            Err(error) => {
                // The error that matters is why it was not started; what stays is found by the next command.
                self.store.remove_container(created.lock).ok();
                Err(error)
            }
        }
    }

    /// Waits until nothing of a command runs any more, which has ended or whose leash was cut, and clears away what is left.
    ///
    /// # Errors
    /// Those of the file system; the collector tries again.
    pub fn end_step(&self, id: &ContainerId) -> Result<()> {
        Ok(self.store.remove_without_row(id)?)
    }

    fn step_asked(&self, created: &Created, command: &StepCommand, window: Option<WindowSize>) -> Result<Connection> {
        let leased = self.lease_networks(created)?;
        let request = self.request(created, Some(created.config.open_stdin), window)?;
        let request = Request {
            rootfs: Rootfs::Overlay {
                lower: self.lower(command.layers.clone())?,
                upper: command.upper.clone(),
                work: command.work.clone(),
                volatile: true,
            },
            stdin: if created.config.open_stdin { StdinMode::Once } else { StdinMode::Closed },
            // Nobody has asked for a container, so nobody is told of one.
            events: None,
            log: None,
            leashed: true,
            ..request
        };
        let asked = self.supervise(created, request, leased.as_ref());
        if let (Err(_), Some(leased)) = (&asked, &leased) {
            leased.give_back().ok();
        }
        asked
    }
}

impl StepFile {
    /// Makes it at `path`, which is in memory, and returns how it is mounted.
    fn make(&self, path: &Path) -> Result<Mount> {
        readable(path, |path| std::fs::write(path, &self.content), 0o600)?;
        self.access.give(path)?;
        Ok(bind(path, &self.target, true))
    }
}

impl Access {
    fn give(self, path: &Path) -> Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).context(|| path.display())?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(self.mode)).context(|| path.display())
    }
}

fn bind(source: &Path, target: &Path, read_only: bool) -> Mount {
    let kind = MountKind::Bind {
        source: source.to_owned(),
        create_source: false,
        propagation: Propagation::default(),
        recursive: false,
        read_only_below: RecursiveReadOnly::TopOnly,
    };
    Mount { target: target.to_owned(), read_only, kind, mode: String::new(), origin: Origin::Mount }
}

/// Whose files of `user` and `group` are, in a tree of these layer directories, the topmost first. A number without a group
/// stands for both; a name for itself and its own group.
///
/// # Errors
/// `NotFound` for a name that the tree does not know.
pub fn owner_in(layers: &[PathBuf], user: &str, group: Option<&str>) -> Result<(u32, u32)> {
    let looked_up = |text: &str| identity(&Merged::open(layers)?, text, &[]);
    let (uid, gid) = match user.parse::<u32>() {
        Ok(number) => (number, number),
        Err(_) => looked_up(user).map(|found| (found.uid, found.gid))?,
    };
    match group {
        None => Ok((uid, gid)),
        Some(group) => {
            Ok((uid, group.parse::<u32>().or_else(|_| looked_up(&format!("0:{group}")).map(|found| found.gid))?))
        }
    }
}

fn record_of(id: ContainerId, config: &ContainerConfig) -> Result<ContainerRecord> {
    Ok(ContainerRecord {
        id,
        name: "of the build".to_owned(),
        // It is made of no image.
        image: Digest::from_bytes([0; 32]),
        image_name: config.image.clone(),
        created: ago::now(),
        boot_id: store::boot_id()?,
        auto_remove: true,
        keep_unstarted: false,
        config: config.stored(),
    })
}

/// The mount of a tree, whose layers are then in `sources`.
fn mount_of(number: usize, tree: &StepTree, directory: &Path, sources: &mut Sources) -> Result<Mount> {
    // Nobody else looks the number up.
    let id = Digest::of(&number.to_le_bytes());
    sources.images.insert(id, tree.layers.clone());
    let upper = if tree.writable {
        let both = ["changes", "work"].map(|name| directory.join(format!("{name}-{number}")));
        for path in &both {
            readable(path, |path| std::fs::create_dir(path), 0o755)?;
        }
        let [upper, work] = both;
        Some((upper, work))
    } else {
        None
    };
    let image = ImageMount { image: "tree".to_owned(), id: Some(id), subpath: tree.subpath.clone(), upper };
    Ok(Mount {
        target: tree.target.clone(),
        read_only: !tree.writable,
        kind: MountKind::Image(image),
        mode: String::new(),
        origin: Origin::Mount,
    })
}
