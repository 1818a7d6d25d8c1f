//! Which cgroup hierarchies this host has, as the table of its mounts tells.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::mountinfo::{self, Mount};

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// `unified`, a controller, several with commas, or `name=…`.
    pub name: String,
    /// Where the host has it.
    pub mount: PathBuf,
    /// Whether it is cgroup v2.
    pub unified: bool,
    /// Its v1 controllers. Empty for v2, whose controllers depend on the directory.
    pub controllers: Vec<String>,
}

impl Hierarchy {
    /// The name its directory has below `/sys/fs/cgroup`.
    pub fn directory_name(&self) -> &str {
        self.mount.file_name().and_then(|name| name.to_str()).unwrap_or(&self.name)
    }

    /// Names of the controllers that share a directory named otherwise: links in a container.
    pub fn aliases(&self) -> impl Iterator<Item = &str> {
        let own = self.directory_name();
        self.controllers.iter().map(String::as_str).filter(move |controller| *controller != own)
    }
}

/// The hierarchies that a container gets a cgroup in: the unified one where it stands alone, else every v1 hierarchy.
/// On a hybrid host the unified one has no controllers and is left out.
///
/// # Errors
/// `System` when /proc cannot be read or nothing is mounted.
pub fn detect() -> Result<Vec<Hierarchy>> {
    let found = chosen(all()?);
    if found.is_empty() {
        let error = Error::system("cgroups", "no cgroup file system is mounted");
        return Err(error.with_hint("mount one: mount -t cgroup2 none /sys/fs/cgroup"));
    }
    Ok(found)
}

/// Every hierarchy that is mounted, those included that a container gets no cgroup in.
pub(super) fn all() -> Result<Vec<Hierarchy>> {
    Ok(parse(&mountinfo::read(mountinfo::OWN)?))
}

/// Of those that are mounted, those that a container gets a cgroup in.
pub(super) fn chosen(mut all: Vec<Hierarchy>) -> Vec<Hierarchy> {
    if all.iter().any(|hierarchy| !hierarchy.unified) {
        all.retain(|hierarchy| !hierarchy.unified);
    }
    all
}

/// Those of a table of mounts.
pub(super) fn parse(table: &[u8]) -> Vec<Hierarchy> {
    let mut all: Vec<Hierarchy> = Vec::new();
    for found in mountinfo::mounts(table).filter_map(hierarchy) {
        if !all.iter().any(|known| known.name == found.name) {
            all.push(found);
        }
    }
    all
}

fn hierarchy(of: Mount<'_>) -> Option<Hierarchy> {
    /// Super block options of a v1 hierarchy that are not controllers.
    const FLAGS: [&str; 6] = ["rw", "ro", "clone_children", "noprefix", "xattr", "favordynmods"];
    let unified = of.kind == b"cgroup2";
    // Only mounts of the hierarchy's root count: a bind of a part of it is somebody's view.
    if (!unified && of.kind != b"cgroup") || of.root() != Path::new("/") {
        return None;
    }
    let mount = of.point();
    if unified {
        return Some(Hierarchy { name: "unified".to_owned(), mount, unified, controllers: Vec::new() });
    }
    let options = of.options();
    let words = options.split(',').filter(|word| !FLAGS.contains(word) && !word.starts_with("release_agent="));
    let (named, controllers): (Vec<&str>, Vec<&str>) = words.partition(|word| word.starts_with("name="));
    let name = named.first().map_or_else(|| controllers.join(","), |name| (*name).to_owned());
    Some(Hierarchy { name, mount, unified, controllers: controllers.into_iter().map(str::to_owned).collect() })
}
