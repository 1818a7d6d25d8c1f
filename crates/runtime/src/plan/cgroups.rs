//! Steps for mounts of type `cgroup` and `cgroup2`.
//!
//! With the unified hierarchy, a container with a cgroup namespace sees its own directory; one without sees what the host
//! sees, so that the paths of `/proc/self/cgroup` are right. With v1 it has its own directory of each hierarchy in a tmpfs.

use std::path::PathBuf;

use rustix::mount::MountAttrFlags;
use sys::clone::namespace;

use super::mounts::{Asked, READ_ONLY, Scene, directory, path_string};
use super::{Bind, Links, Source, Step, c_string};
use crate::cgroup::Hierarchy;
use crate::error::Result;

/// Whether this type of mount shows the container's cgroups. Beside v1 hierarchies, `cgroup2` is a file system like any.
pub(super) fn is_tree(kind: &str, hierarchies: &[Hierarchy]) -> bool {
    kind == "cgroup" || (kind == "cgroup2" && unified(hierarchies))
}

fn unified(hierarchies: &[Hierarchy]) -> bool {
    matches!(hierarchies, [only] if only.unified)
}

pub(super) fn add(asked: &Asked<'_>, scene: &Scene<'_>, steps: &mut Vec<Step>) -> Result<()> {
    if let Some((key, _)) = asked.options.data.first() {
        return Err(asked.invalid(format_args!("{} is no option of cgroups", key.to_string_lossy())));
    }
    let attributes = asked.options.change.set
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    if scene.hierarchies.is_empty() {
        // The container has no cgroup of its own, and may look at those of the host (CVE-2023-25809).
        let mut bind = Bind::of(PathBuf::from("/sys/fs/cgroup"));
        bind.recursive = true;
        bind.everywhere.set = attributes | MountAttrFlags::MOUNT_ATTR_RDONLY;
        steps.push(Step::Attach { source: Source::Bind(bind), target: asked.target()?, links: Links::Follow });
        return Ok(());
    }
    if unified(scene.hierarchies) {
        let source = if scene.has(namespace::CGROUP) {
            Source::CgroupTree { number: 0, attributes }
        } else {
            Source::Bind(whole(&scene.hierarchies[0], attributes))
        };
        steps.push(Step::Attach { source, target: asked.target()?, links: Links::Follow });
        return Ok(());
    }
    steps.push(Step::Mount(directory(asked.target()?, attributes - MountAttrFlags::MOUNT_ATTR_RDONLY)));
    for (number, hierarchy) in scene.hierarchies.iter().enumerate() {
        let name = hierarchy.directory_name();
        let target = path_string(&asked.destination.join(name), "mounts")?;
        steps.push(Step::Attach { source: Source::CgroupTree { number, attributes }, target, links: Links::Follow });
        for alias in hierarchy.aliases() {
            let path = path_string(&asked.destination.join(alias), "mounts")?;
            steps.push(Step::Link { content: c_string(name.as_bytes(), "mounts")?, path });
        }
    }
    if attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY) {
        steps.push(Step::Remount { target: asked.target()?, change: READ_ONLY });
    }
    Ok(())
}

/// The whole hierarchy of the host.
fn whole(hierarchy: &Hierarchy, attributes: MountAttrFlags) -> Bind {
    let mut bind = Bind::of(hierarchy.mount.clone());
    bind.everywhere.set = attributes;
    bind
}
