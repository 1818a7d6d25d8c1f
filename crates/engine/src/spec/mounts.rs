//! What is mounted in a container: the file systems every container has, its three files below /etc, and what the user
//! asked for.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;

use super::Inputs;
use crate::config::{self, ContainerConfig, ImageMount, Ipc, MountKind, RecursiveReadOnly, VolumeMount};
use crate::containers::create::EMPTY;
use crate::volumes::Place;

/// File systems of every container: target, type, source, options. Docker's, in its order.
const DEFAULTS: [(&str, &str, &str, &[&str]); 7] = [
    ("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
    ("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
    // Group 5 is tty in every distribution: it owns terminals, so that programs such as wall reach them.
    ("/dev/pts", "devpts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    ("/sys/fs/cgroup", "cgroup", "cgroup", &["ro", "nosuid", "noexec", "nodev"]),
    ("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
];

/// Files that the engine makes in the container's bundle, and where they appear.
pub(crate) const FILES: [(&str, &str); 3] =
    [("resolv.conf", "/etc/resolv.conf"), ("hostname", "/etc/hostname"), ("hosts", "/etc/hosts")];

/// Whether a mount is one of those that every container has.
pub(crate) fn is_of_every_container(target: &Path, kind: &str) -> bool {
    DEFAULTS.iter().any(|(known, of, ..)| Path::new(known) == target && *of == kind)
}

/// Every mount, in the order in which they are made. A mount of the user replaces the default one on the same target,
/// and one on /dev all that would lie below.
pub(super) fn mounts(inputs: &Inputs<'_>) -> Vec<Mount> {
    let asked = &inputs.config.mounts;
    let replaced = |target: &str| {
        asked.iter().any(|mount| {
            mount.target == Path::new(target) || (mount.target == Path::new("/dev") && target.starts_with("/dev/"))
        })
    };
    let defaults = DEFAULTS
        .into_iter()
        .filter(|(target, ..)| !replaced(target))
        .filter_map(|(target, kind, source, options)| default(inputs.config, target, kind, source, options));
    let bundle = inputs.host.peer.as_ref().map_or(inputs.bundle, |peer| &peer.bundle);
    let files = FILES.into_iter().filter(|(_, target)| !replaced(target)).map(|(name, target)| {
        let access = if inputs.config.read_only { "ro" } else { "rw" };
        mount(Path::new(target), "bind", &bundle.join(name), &["rbind", "rprivate", access])
    });
    // What lies deeper comes later, so that no mount hides one that was asked for.
    let vendors = inputs.host.edits.mounts.iter().cloned();
    let mut asked: Vec<Mount> =
        files.chain(vendors).chain(asked.iter().map(|asked| asked_for(asked, inputs))).collect();
    asked.sort_by_key(|mount| mount.destination().components().count());
    defaults.chain(asked).collect()
}

/// One of the file systems of every container, as the flags change it; None when there is none.
fn default(config: &ContainerConfig, target: &str, kind: &str, source: &str, options: &[&str]) -> Option<Mount> {
    let writable = match target {
        "/sys" => config.privileged,
        "/sys/fs/cgroup" => config.writes_cgroups(),
        _ => false,
    };
    let size = config.shm_size.map(|size| format!("size={size}"));
    let mut options: Vec<&str> = options.to_vec();
    if writable {
        options.retain(|option| *option != "ro");
        options.push("rw");
    }
    if target == "/dev/shm" {
        match (&config.ipc, &size) {
            (Ipc::None, _) => return None,
            (Ipc::Host, _) => {
                let options = ["rbind", "rprivate", "nosuid", "noexec", "nodev"];
                return Some(mount(Path::new(target), "bind", Path::new(target), &options));
            }
            (_, Some(size)) => {
                options.retain(|option| !option.starts_with("size="));
                options.push(size);
            }
            _ => {}
        }
    }
    Some(mount(Path::new(target), kind, Path::new(source), &options))
}

fn asked_for(asked: &config::Mount, inputs: &Inputs<'_>) -> Mount {
    let access = if asked.read_only { "ro" } else { "rw" };
    match &asked.kind {
        MountKind::Bind { source, propagation, recursive, read_only_below, .. } => {
            let bind = if *recursive { "rbind" } else { "bind" };
            let all = *recursive && *read_only_below == RecursiveReadOnly::All;
            let access = if asked.read_only && all { read_only_below_too(inputs) } else { access };
            mount(&asked.target, "bind", source, &[bind, propagation.name(), access])
        }
        MountKind::Tmpfs { size, mode, options } => {
            let size = size.map(|size| format!("size={size}"));
            let mode = mode.map(|mode| format!("mode={mode:o}"));
            let own = size.iter().chain(&mode).chain(options).map(String::as_str);
            let all: Vec<&str> = ["nosuid", "nodev", "noexec", access].into_iter().chain(own).collect();
            mount(&asked.target, "tmpfs", Path::new("tmpfs"), &all)
        }
        MountKind::Volume(volume) => volume_mount(asked, volume, access, inputs.sources.volumes.get(&volume.name)),
        MountKind::Image(image) => {
            let layers = image.id.as_ref().and_then(|id| inputs.sources.images.get(id)).map(Vec::as_slice);
            image_mount(asked, image, layers.unwrap_or_default(), &inputs.directory.join(EMPTY))
        }
    }
}

/// Docker's default since 25, where the kernel can: before Linux 5.12 (`mount_setattr(2)`) only the top is read-only.
fn read_only_below_too(inputs: &Inputs<'_>) -> &'static str {
    let kernel = inputs.host.kernel;
    if (kernel.major, kernel.minor) >= (5, 12) { "rro" } else { "ro" }
}

fn volume_mount(asked: &config::Mount, volume: &VolumeMount, access: &str, place: Option<&Place>) -> Mount {
    let subpath = volume.subpath.as_ref().map(|path| format!("subpath={}", path.display()));
    match place {
        Some(Place::FileSystem { kind, device, options }) => {
            // A copy has the owner of what it is a copy of.
            let owned = options.iter().any(|option| option.starts_with("uid=") || option.starts_with("gid="));
            let copy = (volume.copy && kind == "tmpfs" && !owned).then_some("tmpcopyup");
            // What the volume itself says about access counts more, as it is the same for every container.
            let access = [access].into_iter().filter(|access| *access == "ro" || options.iter().all(|one| one != "ro"));
            let all: Vec<&str> = options.iter().map(String::as_str).chain(access).chain(copy).collect();
            mount(&asked.target, kind, Path::new(device), &all)
        }
        Some(Place::Directory { path, recursive, options }) => {
            let bind = if *recursive { "rbind" } else { "bind" };
            let access = [access].into_iter().filter(|access| *access == "ro" || options.iter().all(|one| one != "ro"));
            let own = options.iter().chain(&subpath).map(String::as_str);
            let all: Vec<&str> = [bind, volume.propagation.name()].into_iter().chain(own).chain(access).collect();
            mount(&asked.target, "bind", path, &all)
        }
        // Every volume of a configuration is held while it is computed.
        None => mount(&asked.target, "bind", Path::new("/nonexistent"), &["rbind", access]),
    }
}

/// For the supervisor: each layer by its directory.
fn image_mount(asked: &config::Mount, image: &ImageMount, layers: &[PathBuf], empty: &Path) -> Mount {
    let empty = [empty.to_owned()];
    let below = if layers.len() == 1 { &empty[..] } else { &[] };
    let lower = layers.iter().chain(below).map(|layer| format!("lower={}", layer.display()));
    let subpath = image.subpath.as_ref().map(|path| format!("subpath={}", path.display()));
    let upper = image
        .upper
        .iter()
        .flat_map(|(upper, work)| [format!("upper={}", upper.display()), format!("work={}", work.display())]);
    let options: Vec<String> = lower.chain(subpath).chain(upper).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    mount(&asked.target, "image", Path::new(&image.image), &options)
}

fn mount(target: &Path, kind: &str, source: &Path, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount
        .set_destination(target.to_owned())
        .set_typ(Some(kind.to_owned()))
        .set_source(Some(source.to_owned()))
        .set_options(Some(options.iter().map(ToString::to_string).collect()));
    mount
}
