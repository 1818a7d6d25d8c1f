//! Steps for mounts, devices, masks and read-only paths.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, LinuxDeviceType, LinuxNamespace, LinuxNamespaceType, Mount, Process, Spec};
use rustix::fs::FileType;
use rustix::mount::MountAttrFlags;
use sys::mount::{Change, Propagation};

use super::options::{self, Options};
use super::{Device, NewMount, Source, Step, c_string, container_path, unsupported};
use crate::cgroup::Hierarchy;
use crate::error::{Error, ErrorKind, Result};

/// Devices that every container has (runtime-spec, default devices), with major and minor number.
const DEFAULT_DEVICES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Links that every container has.
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("pts/ptmx", "/dev/ptmx"),
];

/// Adds everything that is mounted or made before the process's own steps.
pub(super) fn add(spec: &Spec, linux: &Linux, hierarchies: &[Hierarchy], steps: &mut Vec<Step>) -> Result<()> {
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    for mount in mounts {
        add_mount(mount, hierarchies, steps)?;
    }
    // A /dev bound from the host has the host's devices; nothing is made there.
    let bound_dev = mounts.iter().any(|mount| {
        container_path(mount.destination()) == Path::new("/dev") && mount.typ().as_deref() != Some("tmpfs")
    });
    if !bound_dev {
        add_devices(linux, steps)?;
    }
    for (key, value) in linux.sysctl().iter().flatten() {
        steps.push(sysctl(key, value)?);
    }
    Ok(())
}

/// Adds what closes the file system once everything is in it.
pub(super) fn finish(linux: &Linux, read_only: bool, process: &Process, steps: &mut Vec<Step>) -> Result<()> {
    for path in linux.readonly_paths().iter().flatten() {
        steps.push(Step::ReadOnly(path_string(Path::new(path), "linux.readonlyPaths")?));
    }
    for path in linux.masked_paths().iter().flatten() {
        steps.push(Step::Mask(path_string(Path::new(path), "linux.maskedPaths")?));
    }
    steps.push(Step::MakeWorkingDirectory(path_string(process.cwd(), "process.cwd")?));
    if read_only {
        let change = Change { set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..no_change() };
        steps.push(Step::Remount { target: c"/".to_owned(), change });
    }
    Ok(())
}

/// Gives the root the propagation asked for; once it is the root, because a shared one cannot become it.
pub(super) fn propagate_root(linux: &Linux, steps: &mut Vec<Step>) -> Result<()> {
    if let Some(kind) = root_propagation(linux)? {
        let change = Change { propagation: Some(kind), ..no_change() };
        steps.push(Step::Remount { target: c"/".to_owned(), change });
    }
    Ok(())
}

fn root_propagation(linux: &Linux) -> Result<Option<Propagation>> {
    match linux.rootfs_propagation().as_deref() {
        None | Some("" | "private" | "rprivate") => Ok(None),
        Some("slave" | "rslave") => Ok(Some(Propagation::Slave)),
        Some("shared" | "rshared") => Ok(Some(Propagation::Shared)),
        Some("unbindable" | "runbindable") => Ok(Some(Propagation::Unbindable)),
        Some(other) => {
            Err(Error::new(ErrorKind::Invalid, format!("linux.rootfsPropagation {other:?}: is no propagation")))
        }
    }
}

fn add_mount(mount: &Mount, hierarchies: &[Hierarchy], steps: &mut Vec<Step>) -> Result<()> {
    let destination = container_path(mount.destination());
    let shown = destination.display().to_string();
    if destination == Path::new("/") {
        return Err(Error::new(ErrorKind::Invalid, "mounts: a mount on / would replace the root file system"));
    }
    let mapped = [mount.uid_mappings(), mount.gid_mappings()].into_iter().flatten().any(|maps| !maps.is_empty());
    if mapped {
        return Err(unsupported(&format!("mount on {shown}: id mapping")));
    }
    let parsed = options::parse(mount.options().as_deref().unwrap_or_default(), &shown)?;
    let kind = mount.typ().as_deref().unwrap_or("none");
    let target = path_string(&destination, "mounts.destination")?;
    if parsed.bind || kind == "bind" {
        forbid_proc(&destination)?;
        let source = bind_source(mount, &shown, &parsed)?;
        steps.push(Step::Attach { source, target });
    } else if kind == "cgroup" || kind == "cgroup2" {
        add_cgroups(&destination, &parsed, hierarchies, steps)?;
    } else {
        forbid_proc_unless(kind, &destination)?;
        steps.push(Step::Mount(NewMount {
            file_system: c_string(kind.as_bytes(), "mounts.type")?,
            options: file_system_options(parsed.data, mount, kind)?,
            attributes: parsed.change.set,
            propagation: parsed.change.propagation,
            target,
        }));
    }
    Ok(())
}

/// A file system of the kernel has no source worth naming; one on a device needs it.
fn file_system_options(
    mut data: Vec<(std::ffi::CString, Option<std::ffi::CString>)>,
    mount: &Mount,
    kind: &str,
) -> Result<Vec<(std::ffi::CString, Option<std::ffi::CString>)>> {
    if let Some(source) = mount.source() {
        let source = c_string(source.as_os_str().as_encoded_bytes(), "mounts.source")?;
        data.insert(0, (c"source".to_owned(), Some(source)));
    }
    // Only root of the container's own user namespace may see who mounted what: devpts needs nothing more since 4.7.
    if kind == "devpts" {
        data.retain(|(key, _)| key.as_c_str() != c"newinstance");
    }
    Ok(data)
}

fn bind_source(mount: &Mount, shown: &str, parsed: &Options) -> Result<Source> {
    let path: &PathBuf = mount
        .source()
        .as_ref()
        .ok_or_else(|| Error::new(ErrorKind::Invalid, format!("mount on {shown}: a bind mount needs a source")))?;
    if let Some((key, _)) = parsed.data.first() {
        let message = format!("mount on {shown}: {} is no option of a bind mount", key.to_string_lossy());
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    Ok(Source::Bind { path: path.clone(), recursive: parsed.recursive_bind, change: parsed.change })
}

/// Nothing but proc itself goes on /proc, and nothing inside it but what hides or replaces a harmless file: whatever
/// stood at /proc/self/attr or /proc/sys would receive what is written there (CVE-2019-16884).
fn forbid_proc(destination: &Path) -> Result<()> {
    const ALLOWED: [&str; 8] = ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"];
    let Ok(inside) = destination.strip_prefix("/proc") else { return Ok(()) };
    if ALLOWED.iter().any(|name| inside == Path::new(name)) {
        return Ok(());
    }
    let message = format!("mount on {}: only proc can be mounted on or inside /proc", destination.display());
    Err(Error::new(ErrorKind::Invalid, message))
}

fn forbid_proc_unless(kind: &str, destination: &Path) -> Result<()> {
    if kind == "proc" && destination == Path::new("/proc") { Ok(()) } else { forbid_proc(destination) }
}

/// The container's own cgroups, as directories: with the unified hierarchy one, else one per hierarchy in a tmpfs.
fn add_cgroups(destination: &Path, parsed: &Options, hierarchies: &[Hierarchy], steps: &mut Vec<Step>) -> Result<()> {
    let attributes = parsed.change.set;
    if let [only] = hierarchies
        && only.unified
    {
        steps.push(Step::Attach { source: Source::CgroupTree(0), target: path_string(destination, "mounts")? });
        return Ok(());
    }
    steps.push(Step::Mount(NewMount {
        file_system: c"tmpfs".to_owned(),
        options: vec![(c"source".to_owned(), Some(c"tmpfs".to_owned())), (c"mode".to_owned(), Some(c"755".to_owned()))],
        attributes: attributes & !MountAttrFlags::MOUNT_ATTR_RDONLY,
        propagation: None,
        target: path_string(destination, "mounts")?,
    }));
    for (number, hierarchy) in hierarchies.iter().enumerate() {
        let name = hierarchy.directory_name();
        steps.push(Step::Attach {
            source: Source::CgroupTree(number),
            target: path_string(&destination.join(name), "mounts")?,
        });
        for alias in hierarchy.aliases() {
            let path = path_string(&destination.join(alias), "mounts")?;
            steps.push(Step::Link { content: c_string(name.as_bytes(), "mounts")?, path });
        }
    }
    if attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY) {
        let change = Change { set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..no_change() };
        steps.push(Step::Remount { target: path_string(destination, "mounts")?, change });
    }
    Ok(())
}

fn add_devices(linux: &Linux, steps: &mut Vec<Step>) -> Result<()> {
    for (path, major, minor) in DEFAULT_DEVICES {
        let number = rustix::fs::makedev(major, minor);
        let path = c_string(path.as_bytes(), "devices")?;
        steps.push(Step::Device(Device { path, kind: FileType::CharacterDevice, number, mode: 0o666, uid: 0, gid: 0 }));
    }
    for device in linux.devices().iter().flatten() {
        let kind = match device.typ() {
            LinuxDeviceType::B => FileType::BlockDevice,
            LinuxDeviceType::C | LinuxDeviceType::U => FileType::CharacterDevice,
            LinuxDeviceType::P => FileType::Fifo,
            LinuxDeviceType::A => {
                let message = format!("linux.devices {}: type a is for rules only", device.path().display());
                return Err(Error::new(ErrorKind::Invalid, message));
            }
        };
        let part = |number: i64| u32::try_from(number).unwrap_or_default();
        steps.push(Step::Device(Device {
            path: path_string(device.path(), "linux.devices.path")?,
            kind,
            number: rustix::fs::makedev(part(device.major()), part(device.minor())),
            mode: device.file_mode().unwrap_or(0o666),
            uid: device.uid().unwrap_or(0),
            gid: device.gid().unwrap_or(0),
        }));
    }
    if has_user_namespace(linux) {
        bind_devices(steps);
    }
    for (content, path) in LINKS {
        let content = c_string(content.as_bytes(), "links")?;
        steps.push(Step::Link { content, path: c_string(path.as_bytes(), "links")? });
    }
    Ok(())
}

fn has_user_namespace(linux: &Linux) -> bool {
    let of_user = |space: &LinuxNamespace| space.typ() == LinuxNamespaceType::User;
    linux.namespaces().iter().flatten().any(of_user)
}

/// In a user namespace no device file can be made (`mknod(2)`, `EPERM`): those of the host are mounted instead.
fn bind_devices(steps: &mut [Step]) {
    for step in steps {
        let Step::Device(device) = step else { continue };
        if device.kind == FileType::Fifo {
            continue;
        }
        let path = Path::new(OsStr::from_bytes(device.path.to_bytes())).to_owned();
        let source = Source::Bind { path, recursive: false, change: no_change() };
        *step = Step::Attach { source, target: device.path.clone() };
    }
}

/// Kernel parameters that are per namespace; all others would change the host (runtime-spec, sysctl).
fn sysctl(key: &str, value: &str) -> Result<Step> {
    const IPC: [&str; 8] = [
        "kernel/msgmax",
        "kernel/msgmnb",
        "kernel/msgmni",
        "kernel/sem",
        "kernel/shmall",
        "kernel/shmmax",
        "kernel/shmmni",
        "kernel/shm_rmid_forced",
    ];
    let path = key.replace('.', "/");
    let namespaced = path.starts_with("net/") || path.starts_with("fs/mqueue/") || IPC.contains(&path.as_str());
    if !namespaced || path.split('/').any(|part| part.is_empty() || part == "..") {
        let message = format!("linux.sysctl {key:?}: is not a parameter of a namespace of the container");
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let path = format!("/proc/sys/{path}");
    Ok(Step::Sysctl {
        path: c_string(path.as_bytes(), "linux.sysctl")?,
        value: c_string(value.as_bytes(), "linux.sysctl")?,
    })
}

fn no_change() -> Change {
    let none = MountAttrFlags::empty();
    Change { set: none, clear: none, propagation: None, recursive: false }
}

fn path_string(path: &Path, field: &str) -> Result<std::ffi::CString> {
    c_string(container_path(path).as_os_str().as_encoded_bytes(), field)
}
