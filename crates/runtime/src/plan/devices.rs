//! Steps for device files and the links beside them.

use std::path::Path;

use oci_spec::runtime::{Linux, LinuxDevice, LinuxDeviceType};
use rustix::fs::FileType;

use super::mounts::path_string;
use super::{Device, Links, Source, Step, c_string, container_path};
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

/// Adds them. A device of the configuration takes the place of a default one.
pub(super) fn add(linux: &Linux, user_namespace: bool, steps: &mut Vec<Step>) -> Result<()> {
    let asked = linux.devices().as_deref().unwrap_or_default();
    for (path, major, minor) in DEFAULT_DEVICES {
        if asked.iter().any(|device| container_path(device.path()) == Path::new(path)) {
            continue;
        }
        let (path, number) = (c_string(path.as_bytes(), "devices")?, rustix::fs::makedev(major, minor));
        let device = Device { path, kind: FileType::CharacterDevice, number, mode: 0o666, uid: 0, gid: 0 };
        steps.push(step(device, user_namespace));
    }
    for device in asked {
        steps.push(step(compile(device)?, user_namespace));
    }
    for (content, path) in LINKS {
        let content = c_string(content.as_bytes(), "links")?;
        steps.push(Step::Link { content, path: c_string(path.as_bytes(), "links")? });
    }
    Ok(())
}

fn compile(device: &LinuxDevice) -> Result<Device> {
    let shown = device.path().display();
    let invalid = |why: String| Error::new(ErrorKind::Invalid, format!("linux.devices {shown}: {why}"));
    // In a user namespace it would be a mount, and nothing but proc goes there.
    if container_path(device.path()).starts_with("/proc") {
        return Err(invalid("no device can be in /proc".to_owned()));
    }
    let kind = match device.typ() {
        LinuxDeviceType::B => FileType::BlockDevice,
        LinuxDeviceType::C | LinuxDeviceType::U => FileType::CharacterDevice,
        LinuxDeviceType::P => FileType::Fifo,
        LinuxDeviceType::A => return Err(invalid("type a is for rules only".to_owned())),
    };
    let part = |name: &str, number: i64| {
        u32::try_from(number).map_err(|_| invalid(format!("{name} {number} is no number of a device")))
    };
    let number = match kind {
        FileType::Fifo => 0,
        _ => rustix::fs::makedev(part("major", device.major())?, part("minor", device.minor())?),
    };
    Ok(Device {
        path: path_string(device.path(), "linux.devices.path")?,
        kind,
        number,
        // The type of the file may be among the bits, as stat(2) tells them.
        mode: device.file_mode().unwrap_or(0o666) & 0o7777,
        uid: device.uid().unwrap_or(0),
        gid: device.gid().unwrap_or(0),
    })
}

/// In a user namespace no device file can be made (`mknod(2)`, `EPERM`): that of the host is mounted instead.
fn step(device: Device, user_namespace: bool) -> Step {
    if !user_namespace || device.kind == FileType::Fifo {
        return Step::Device(device);
    }
    let target = device.path.clone();
    Step::Attach { source: Source::Device(device), target, links: Links::Follow }
}
