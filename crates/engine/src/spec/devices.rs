//! Devices of the host in a container: which there are, and what the configuration says about them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType};

use crate::config::{ContainerConfig, Device, DeviceRule, OfDisk};
use crate::error::{Error, ErrorKind, Result};

/// What of /dev is a container's own, even if it has all devices of the host.
const OWN: [&str; 8] = ["pts", "shm", "fd", "mqueue", "console", "ptmx", "core", ".udev"];

/// How deep directories of devices are looked into.
const DEEPEST: usize = 16;

/// A device file to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its path in the container.
    pub(crate) target: PathBuf,
    /// Block, character or fifo.
    pub(crate) kind: LinuxDeviceType,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    /// Permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// What may be done with it, letters of `rwm`; None when another rule says so.
    pub(crate) access: Option<String>,
}

/// The number of a disk of the host, for a limit of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
    pub(crate) major: i64,
    pub(crate) minor: i64,
}

/// The devices of the host that `config` asks for by path.
///
/// # Errors
/// `NotFound` for a path that is not there, `Invalid` for one that is no device.
pub(crate) fn find(config: &ContainerConfig) -> Result<Vec<Found>> {
    let mut list = Vec::new();
    if config.privileged {
        below(Path::new("/dev"), Path::new("/dev"), None, 0, &mut list)
            .map_err(|error| Error::system("--privileged: /dev", error))?;
    }
    for device in &config.devices {
        let Device::Host { source, target, access } = device else { continue };
        let flag = || format!("--device {}", source.display());
        let metadata = fs::metadata(source).map_err(|error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::System,
            };
            Error::new(kind, format!("{}: {error}", flag()))
        })?;
        if let Some(found) = one(target, &metadata, Some(access)) {
            list.push(found);
            continue;
        }
        if !metadata.is_dir() {
            return Err(Error::invalid(format!("{}: not a device", flag()))
                .with_hint("-v mounts files and directories of the host"));
        }
        let before = list.len();
        below(source, target, Some(access), 0, &mut list).map_err(|error| Error::system(flag(), error))?;
        if list.len() == before {
            return Err(Error::invalid(format!("{}: no devices in this directory", flag())));
        }
    }
    // Of two for one path the later counts.
    let is_last = |index: usize| list[index + 1..].iter().all(|later: &Found| later.target != list[index].target);
    Ok((0..list.len()).filter(|index| is_last(*index)).map(|index| list[index].clone()).collect())
}

/// Every device in a directory of the host. No link is followed: it could lead anywhere.
fn below(
    directory: &Path,
    target: &Path,
    access: Option<&String>,
    depth: usize,
    list: &mut Vec<Found>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if access.is_none() && depth == 0 && OWN.iter().any(|own| name == *own) {
            continue;
        }
        // Whoever unplugs something meanwhile does no harm.
        let Ok(metadata) = entry.metadata() else { continue };
        let target = target.join(&name);
        match one(&target, &metadata, access) {
            Some(found) if found.kind != LinuxDeviceType::P => list.push(found),
            None if metadata.is_dir() && depth < DEEPEST => below(&entry.path(), &target, access, depth + 1, list)?,
            _ => {}
        }
    }
    Ok(())
}

/// What `metadata` is of, if it is a device.
pub(crate) fn one(target: &Path, metadata: &fs::Metadata, access: Option<&String>) -> Option<Found> {
    let kind = match metadata.file_type() {
        kind if kind.is_block_device() => LinuxDeviceType::B,
        kind if kind.is_char_device() => LinuxDeviceType::C,
        kind if kind.is_fifo() => LinuxDeviceType::P,
        _ => return None,
    };
    Some(Found {
        target: target.to_owned(),
        kind,
        major: rustix::fs::major(metadata.rdev()),
        minor: rustix::fs::minor(metadata.rdev()),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        access: access.cloned(),
    })
}

/// The disks that the limits of `config` are about.
///
/// # Errors
/// `NotFound` for a path that is not there, `Invalid` for one that is no disk.
pub(crate) fn disks(config: &ContainerConfig) -> Result<Vec<Disk>> {
    let io = &config.block_io;
    let lists: [(&str, &[OfDisk]); 5] = [
        ("--blkio-weight-device", &io.weight_devices),
        ("--device-read-bps", &io.read_bps),
        ("--device-write-bps", &io.write_bps),
        ("--device-read-iops", &io.read_iops),
        ("--device-write-iops", &io.write_iops),
    ];
    let mut disks: Vec<Disk> = Vec::new();
    for (flag, path) in lists.iter().flat_map(|(flag, list)| list.iter().map(move |disk| (*flag, &disk.path))) {
        let shown = path.display();
        let metadata =
            fs::metadata(path).map_err(|error| Error::new(ErrorKind::NotFound, format!("{flag} {shown}: {error}")))?;
        if !metadata.file_type().is_block_device() {
            return Err(Error::invalid(format!("{flag} {shown}: not a disk")));
        }
        disks.push(Disk {
            path: path.clone(),
            major: rustix::fs::major(metadata.rdev()).into(),
            minor: rustix::fs::minor(metadata.rdev()).into(),
        });
    }
    Ok(disks)
}

/// The files.
pub(super) fn files(found: &[Found]) -> Option<Vec<LinuxDevice>> {
    let files = found.iter().map(|found| {
        let mut device = LinuxDevice::default();
        device
            .set_path(found.target.clone())
            .set_typ(found.kind)
            .set_major(found.major.into())
            .set_minor(found.minor.into())
            .set_file_mode(Some(found.mode))
            .set_uid(Some(found.uid))
            .set_gid(Some(found.gid));
        device
    });
    Some(files.collect::<Vec<_>>()).filter(|files| !files.is_empty())
}

/// What may be used besides what every container may: everything, or what was asked for.
pub(super) fn rules(config: &ContainerConfig, found: &[Found]) -> Option<Vec<LinuxDeviceCgroup>> {
    if config.privileged {
        return Some(vec![allow(LinuxDeviceType::A, None, None, "rwm")]);
    }
    let of_files = found.iter().filter(|found| found.kind != LinuxDeviceType::P).filter_map(|found| {
        let access = found.access.as_deref()?;
        Some(allow(found.kind, Some(found.major), Some(found.minor), access))
    });
    let asked = config.device_rules.iter().map(|DeviceRule { kind, major, minor, access }| {
        let kind = match kind {
            'a' => LinuxDeviceType::A,
            'b' => LinuxDeviceType::B,
            _ => LinuxDeviceType::C,
        };
        allow(kind, *major, *minor, access)
    });
    Some(of_files.chain(asked).collect::<Vec<_>>()).filter(|rules| !rules.is_empty())
}

fn allow(kind: LinuxDeviceType, major: Option<u32>, minor: Option<u32>, access: &str) -> LinuxDeviceCgroup {
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(true)
        .set_typ(Some(kind))
        .set_major(major.map(i64::from))
        .set_minor(minor.map(i64::from))
        .set_access(Some(access.to_owned()));
    rule
}
