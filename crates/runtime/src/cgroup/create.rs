//! Making the cgroups of a new container, so that a process can join them.

use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;
use rustix::fs::Mode;
use rustix::io::Errno;

use super::directory::Directory;
use super::hierarchy::Hierarchy;
use super::limits::{self, Present, Version, Write};
use super::remove::remove_tree;
use super::{Cgroups, enable};
use crate::error::{Error, ErrorKind, Result};

/// What becomes of a directory that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It was left by a container of this id that was killed: it is made anew. One with processes is an error.
    Replace,
    /// systemd has just made it for us.
    Keep,
}

impl Cgroups {
    /// Makes the directory `path` (`linux.cgroupsPath`) in every hierarchy and sets the limits. On an error nothing of the
    /// container's is left.
    ///
    /// # Errors
    /// `Invalid` for a path that is none or a limit that cannot be, `Unsupported` for a limit that the host lacks,
    /// `System` else, each naming field or file and value.
    pub fn create(hierarchies: &[Hierarchy], path: &Path, resources: Option<&LinuxResources>) -> Result<Cgroups> {
        let relative = relative(path)?;
        let mut made = Cgroups { directories: Vec::with_capacity(hierarchies.len()), unit: None };
        match made.fill(hierarchies, &relative, resources, Existing::Replace) {
            Ok(()) => Ok(made),
            Err(error) => {
                made.remove().ok();
                Err(error)
            }
        }
    }

    /// The directories that [`Cgroups::create`] makes.
    ///
    /// # Errors
    /// `Invalid` for a path that is none below the root of a hierarchy.
    pub fn planned(hierarchies: &[Hierarchy], path: &Path) -> Result<Vec<PathBuf>> {
        let relative = relative(path)?;
        Ok(hierarchies.iter().map(|hierarchy| hierarchy.mount.join(&relative)).collect())
    }

    pub(super) fn fill(
        &mut self,
        hierarchies: &[Hierarchy],
        relative: &Path,
        resources: Option<&LinuxResources>,
        existing: Existing,
    ) -> Result<()> {
        let version = if hierarchies.iter().all(|one| one.unified) { Version::V2 } else { Version::V1 };
        let writes = resources.map(|resources| limits::writes(resources, version, &Present::default()));
        let writes = writes.transpose()?.unwrap_or_default();
        for hierarchy in hierarchies {
            self.directories.push(make_in(hierarchy, relative, &writes, existing)?);
        }
        self.write_all(&writes)?;
        let rules = resources.and_then(|resources| resources.devices().as_deref()).unwrap_or_default();
        self.set_devices(rules)
    }
}

fn make_in(hierarchy: &Hierarchy, relative: &Path, writes: &[Write], existing: Existing) -> Result<Directory> {
    let version = if hierarchy.unified { Version::V2 } else { Version::V1 };
    if version == Version::V2 {
        enable::in_parents(&hierarchy.mount, relative, writes)?;
    }
    let path = hierarchy.mount.join(relative);
    make(&path, existing)?;
    let directory = Directory::new(&path, version, &hierarchy.controllers);
    match version {
        Version::V1 if directory.has("cpuset") => {
            inherit_cpuset(&directory, &hierarchy.mount, existing == Existing::Replace)?;
        }
        Version::V1 => {}
        Version::V2 => enable::check_kind(&directory, writes)?,
    }
    Ok(directory)
}

/// `cgroupsPath` below a hierarchy's mount point.
pub(super) fn relative(cgroups_path: &Path) -> Result<PathBuf> {
    let below = cgroups_path.strip_prefix("/").unwrap_or(cgroups_path);
    let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    if below.as_os_str().is_empty() || !below.components().all(plain) {
        let message = format!("linux.cgroupsPath {}: is no path below the root of a hierarchy", cgroups_path.display());
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(below.to_owned())
}

fn make(path: &Path, existing: Existing) -> Result<()> {
    let permissions = Mode::from_raw_mode(0o755);
    let made = match rustix::fs::mkdir(path, permissions) {
        Err(Errno::NOENT) => std::fs::create_dir_all(path).map_err(|error| Error::system(path.display(), error)),
        Err(Errno::EXIST) if existing == Existing::Keep => Ok(()),
        Err(Errno::EXIST) => remove_tree(path)
            .and_then(|()| rustix::fs::mkdir(path, permissions))
            .map_err(|errno| Error::system(format!("cgroup {} exists already", path.display()), errno)),
        other => other.map_err(|errno| Error::system(path.display(), errno)),
    };
    made.map_err(|error| error.with_hint("making cgroups needs root and a writable cgroup file system"))
}

/// A v1 cpuset takes no process before it has processors and memory nodes; a new one has none, and gets those of its
/// parent, which may be as new.
fn inherit_cpuset(directory: &Directory, mount: &Path, is_new: bool) -> Result<()> {
    const FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];
    let get = |of: &Directory, file: &str| of.get(file).map_err(|errno| of.error(file, errno));
    let mut above = None;
    for file in FILES {
        if !is_new && !get(directory, file)?.is_empty() {
            continue;
        }
        let parent = match above.take() {
            Some(parent) => parent,
            None => parent_cpuset(directory, mount)?,
        };
        let value = get(&parent, file)?;
        directory.set(file, &value).map_err(|errno| directory.error(file, errno))?;
        above = Some(parent);
    }
    Ok(())
}

/// The cgroup above, with processors and memory nodes.
fn parent_cpuset(directory: &Directory, mount: &Path) -> Result<Directory> {
    let path = directory.path.parent().unwrap_or(mount);
    let parent = Directory::open(path, directory.version, &directory.controllers)?;
    if path != mount && path.starts_with(mount) {
        inherit_cpuset(&parent, mount, false)?;
    }
    Ok(parent)
}
