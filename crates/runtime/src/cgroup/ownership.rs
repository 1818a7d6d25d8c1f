//! A v2 cgroup given to the container's user, so that an init system in it can divide it further (runtime-spec
//! `config-linux.md`, "Cgroup ownership"; `cgroups(7)`, "Cgroups delegation").

use std::path::Path;

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Spec};
use rustix::fs::{AtFlags, Gid, Uid, chownat};
use rustix::io::Errno;

use super::Cgroups;
use super::limits::Version;
use crate::error::Result;

/// The user of the host who is to own the container's cgroup: the one that runs its process, if the container has a cgroup
/// namespace of its own and sees its cgroup read-write, else nobody.
pub fn owner(spec: &Spec) -> Option<Uid> {
    let linux = spec.linux().as_ref()?;
    let own = |kind: LinuxNamespaceType, path: bool| kind == LinuxNamespaceType::Cgroup && !path;
    let spaces = linux.namespaces().iter().flatten();
    if !spaces.into_iter().any(|space| own(space.typ(), space.path().is_some())) {
        return None;
    }
    let writable = |mount: &oci_spec::runtime::Mount| {
        let is_cgroup = |text: Option<&str>| matches!(text, Some("cgroup" | "cgroup2"));
        mount.destination() == Path::new("/sys/fs/cgroup")
            && (is_cgroup(mount.source().as_deref().and_then(Path::to_str)) || is_cgroup(mount.typ().as_deref()))
            && !mount.options().iter().flatten().any(|option| option == "ro")
    };
    if !spec.mounts().iter().flatten().any(writable) {
        return None;
    }
    let user = spec.process().as_ref()?.user().uid();
    match linux.uid_mappings().as_deref() {
        None | Some([]) => Some(Uid::from_raw(user)),
        Some(maps) => maps.iter().find_map(|map| on_host(map, user)).map(Uid::from_raw),
    }
}

fn on_host(map: &LinuxIdMapping, user: u32) -> Option<u32> {
    let offset = user.checked_sub(map.container_id())?;
    (offset < map.size()).then(|| map.host_id().checked_add(offset)).flatten()
}

impl Cgroups {
    /// Gives the container's v2 cgroup, and of its files those that the kernel says are safe, to `owner`. v1 is left alone:
    /// its delegation is not secure.
    ///
    /// # Errors
    /// `System`, naming the file.
    pub fn give_to(&self, owner: Uid) -> Result<()> {
        for directory in self.directories.iter().filter(|directory| directory.version == Version::V2) {
            let own = |file: &str| {
                let flags = if file.is_empty() { AtFlags::EMPTY_PATH } else { AtFlags::SYMLINK_NOFOLLOW };
                let own = directory.descriptor().and_then(|fd| chownat(fd, file, Some(owner), None::<Gid>, flags));
                match own {
                    Ok(()) | Err(Errno::NOENT) => Ok(()),
                    Err(errno) => Err(directory.error(file, errno)),
                }
            };
            own("")?;
            delegated().iter().try_for_each(|file| own(file))?;
        }
        Ok(())
    }
}

/// Files of a cgroup that its user may write.
fn delegated() -> Vec<String> {
    // Linux 4.15. What follows is the list of the specification for a kernel without.
    match std::fs::read_to_string("/sys/kernel/cgroup/delegate") {
        Ok(text) => text.lines().filter(|line| !line.is_empty() && !line.contains('/')).map(str::to_owned).collect(),
        Err(_) => ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"].map(str::to_owned).to_vec(),
    }
}
