//! What is mounted in a container that does not run, as `cp` sees it: binds, volumes and images are mounted as they would be; over
//! what is not, an empty file system lies, so that nothing is written where nobody would find it again.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use fsroot::{ErrorKind as FsKind, Follow, Root, attributes};
use rustix::fs::{CWD, Dev, Mode};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};
use serde_json::Value;
use sys::mount::Change;

use super::overlay::Overlay;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::spec;

/// As many symlinks as the kernel follows in one path.
const SYMLINKS: usize = 40;

/// A mount of the container's configuration.
pub(super) struct Wanted {
    target: PathBuf,
    kind: String,
    source: PathBuf,
    options: Vec<String>,
}

/// Something that is mounted only while the container runs.
pub(super) struct Closed {
    /// Of the empty file system that lies there.
    pub(super) device: Dev,
    /// What to say about it.
    pub(super) why: String,
}

/// What a configuration mounts besides what every container has, in the order in which it is mounted.
pub(super) fn wanted(config: &Path) -> Vec<Wanted> {
    let config: Value =
        std::fs::read(config).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let mounts = config["mounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    mounts.iter().filter_map(Wanted::parse).collect()
}

/// What is to be mounted, as a mount that is nowhere yet.
pub(super) struct Opened {
    target: PathBuf,
    tree: OwnedFd,
    /// Why it is empty, if it is not what was asked for.
    why: Option<String>,
}

/// Opens the sources; before anything is mounted that could hide them.
///
/// # Errors
/// `System` when there is no memory for an empty file system.
pub(super) fn open_all(wanted: &[Wanted]) -> Result<Vec<Opened>> {
    let open = |mount: &Wanted| {
        let (tree, why) = match mount.tree() {
            Ok(tree) => (tree, None),
            Err(why) => (empty().context(|| "an empty file system")?, Some(why)),
        };
        Ok(Opened { target: mount.target.clone(), tree, why })
    };
    wanted.iter().map(open).collect()
}

/// Mounts them below `root`, as far as that can be done here; nobody else sees it, as the caller's namespace is its own.
///
/// # Errors
/// `System` for what could not be mounted when the container is started, either.
pub(super) fn mount_all(opened: Vec<Opened>, root: &Root) -> Result<Vec<Closed>> {
    // Directories on the way are made for the container, whatever the caller's umask.
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let mut closed = Vec::new();
    for Opened { target, tree, why } in opened {
        let shown = target.display();
        let is_directory = attributes::metadata(&tree).is_ok_and(|found| found.is_dir());
        let point = mount_point(root, &target, is_directory)
            .map_err(|error| Error::new(ErrorKind::System, format!("mounting on {shown}: {error}")))?;
        if why.is_some() && attributes::metadata(&point).is_ok_and(|found| !found.is_dir()) {
            // A file lies there, and what would be mounted on it is gone.
            continue;
        }
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        rustix::mount::move_mount(&tree, "", &point, "", flags).context(|| format!("mounting on {shown}"))?;
        if let Some(why) = why {
            closed.push((tree, format!("{shown} is mounted only while the container runs: {why}")));
        }
    }
    // At the end, as something may be mounted deeper in it.
    closed.into_iter().map(|(tree, why)| close(&tree, why)).collect()
}

impl Wanted {
    fn parse(mount: &Value) -> Option<Wanted> {
        let text = |name: &str| mount[name].as_str().map(str::to_owned);
        let options = mount["options"].as_array().map(Vec::as_slice).unwrap_or_default();
        let options = options.iter().filter_map(|option| option.as_str().map(str::to_owned)).collect();
        let (target, kind) = (PathBuf::from(text("destination")?), text("type").unwrap_or_default());
        let source = PathBuf::from(text("source").unwrap_or_default());
        (!spec::is_of_every_container(&target, &kind)).then_some(Wanted { target, kind, source, options })
    }

    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|own| own == option)
    }

    fn value(&self, key: &str) -> impl Iterator<Item = &str> {
        self.options.iter().filter_map(move |option| option.strip_prefix(key)?.strip_prefix('='))
    }

    /// A detached mount of it, or why there is none.
    fn tree(&self) -> std::result::Result<OwnedFd, String> {
        if self.kind == "bind" || self.has("bind") || self.has("rbind") {
            return self.bind().map_err(|error| format!("{}: {error}", self.source.display()));
        }
        if self.kind == "image" {
            return self.image().map_err(|error| format!("image {}: {error}", self.source.display()));
        }
        Err(format!("it is a file system of type {}", self.kind))
    }

    fn bind(&self) -> Result<OwnedFd, String> {
        let text = |errno: Errno| errno.to_string();
        let recursive = if self.has("bind") { OpenTreeFlags::empty() } else { OpenTreeFlags::AT_RECURSIVE };
        let tree = match self.value("subpath").last() {
            None => rustix::mount::open_tree(CWD, &self.source, TREE | recursive).map_err(text)?,
            Some(below) => {
                let source = Root::open(&self.source).map_err(|error| error.to_string())?;
                part(&source, below, recursive)?
            }
        };
        if let Some(change) = self.read_only() {
            sys::mount::set_attributes(tree.as_fd(), c"", &change).map_err(text)?;
        }
        Ok(tree)
    }

    /// What keeps it from being written to; the last word counts.
    fn read_only(&self) -> Option<Change> {
        let set = Change { set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..Change::NONE };
        match self.options.iter().rev().find(|option| matches!(option.as_str(), "ro" | "rro" | "rw"))?.as_str() {
            "rw" => None,
            access => Some(Change { recursive: access == "rro", ..set }),
        }
    }

    fn image(&self) -> Result<OwnedFd, String> {
        let lower: Vec<PathBuf> = self.value("lower").map(PathBuf::from).collect();
        let whole = Overlay { lower: &lower, upper: None }.detached().map_err(|errno| errno.to_string())?;
        let Some(below) = self.value("subpath").last() else { return Ok(whole) };
        let root = Root::from_fd(whole).map_err(|error| error.to_string())?;
        part(&root, below, OpenTreeFlags::empty())
    }
}

/// What is mounted of a source whose files others can change: a link or `..` in `below` ends at the source.
fn part(source: &Root, below: &str, recursive: OpenTreeFlags) -> Result<OwnedFd, String> {
    let found = source.open_path(below, Follow::Yes).map_err(|error| error.to_string())?;
    let flags = TREE | OpenTreeFlags::AT_EMPTY_PATH | recursive;
    rustix::mount::open_tree(&found, "", flags).map_err(|errno| errno.to_string())
}

/// A copy of a mount.
const TREE: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC);

/// What lies where nothing can be mounted.
fn empty() -> rustix::io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(context.as_fd(), "mode", "0755")?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

fn close(tree: &OwnedFd, why: String) -> Result<Closed> {
    let change = Change { set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..Change::NONE };
    sys::mount::set_attributes(tree.as_fd(), c"", &change).context(|| "an empty file system")?;
    let found = attributes::metadata(tree).map_err(|error| Error::new(ErrorKind::System, error.to_string()))?;
    Ok(Closed { device: found.device, why })
}

/// What a mount goes on; made where it is missing, as when the container is started.
fn mount_point(root: &Root, target: &Path, is_directory: bool) -> fsroot::Result<OwnedFd> {
    let relative = |path: &Path| path.strip_prefix("/").map_or_else(|_| path.to_owned(), Path::to_owned);
    let mut target = relative(target);
    let mut answer = root.open_path(&target, Follow::Yes);
    for _ in 0..SYMLINKS {
        match answer {
            Err(error) if error.kind() == FsKind::NotFound => {}
            answer => return answer,
        }
        if is_directory {
            return root.mkdir_all(&target, 0o755);
        }
        if let Some(above) = target.parent().filter(|above| *above != Path::new("")) {
            root.mkdir_all(above, 0o755)?;
        }
        answer = root.create_file(&target, 0o644);
        if answer.as_ref().is_err_and(|error| error.kind() == FsKind::AlreadyExists) {
            // A symlink to what is not there yet.
            let link = root.read_link(&target)?;
            let above = target.parent().map(Path::to_owned).unwrap_or_default();
            target = relative(&above.join(link));
            answer = root.open_path(&target, Follow::Yes);
        }
    }
    answer
}
