//! Devices that a vendor describes in a file of the host: `--gpus`, and `--device vendor.com/class=name`. The files are
//! found and read here; what they say becomes part of the OCI configuration.
//!
//! Source: Container Device Interface, specification 1.0 (`SPEC.md`): files of `/etc/cdi` and `/var/run/cdi`, of which
//! those of the later directory count, and in which one device must not be described twice.

/// One file, as it is written.
mod document;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Hooks, LinuxDeviceType, Mount};

use crate::config::{ContainerConfig, Device, device};
use crate::error::{Error, ErrorKind, Result};
use crate::spec::{Found, found_device};
use document::{ContainerEdits, DeviceNode, Document, HookName};

/// Where specifications lie, the one that counts least first.
pub(crate) const DIRECTORIES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// What the devices of a container change in its configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edits {
    /// `KEY=VALUE`.
    pub(crate) env: Vec<String>,
    pub(crate) devices: Vec<Found>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) hooks: Option<Hooks>,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
}

/// What the devices that `config` names change.
///
/// # Errors
/// `NotFound` for a device that no specification has, `Invalid` for a specification that is none.
pub(crate) fn edits(config: &ContainerConfig) -> Result<Edits> {
    let mut asked: Vec<(&str, String)> = Vec::new();
    for device in &config.devices {
        if let Device::Cdi(name) = device {
            asked.push(("--device", name.clone()));
        }
    }
    if let Some(gpus) = &config.gpus {
        asked.extend(gpus.devices()?.into_iter().map(|name| ("--gpus", name)));
    }
    if asked.is_empty() {
        return Ok(Edits::default());
    }
    Registry::read(&DIRECTORIES.map(PathBuf::from)).edits(&asked)
}

/// Whether a specification of this host has this device. One that is wrong counts: whoever uses the device is told of it.
pub fn has_cdi_device(name: &str) -> bool {
    let registry = Registry::read(&DIRECTORIES.map(PathBuf::from));
    !matches!(registry.find("--device", name), Err(error) if error.kind() == ErrorKind::NotFound)
}

/// All specifications of the host.
struct Registry {
    /// With the place of their directory in the order; the one that counts most has the highest.
    documents: Vec<(usize, PathBuf, Document)>,
    /// Files that are none, which matters to who does not find his device.
    broken: Vec<String>,
}

impl Registry {
    fn read(directories: &[PathBuf]) -> Registry {
        let mut registry = Registry { documents: Vec::new(), broken: Vec::new() };
        for (priority, directory) in directories.iter().enumerate() {
            // No such directory: no such devices.
            let Ok(entries) = std::fs::read_dir(directory) else { continue };
            let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            paths.sort();
            for path in paths.into_iter().filter(|path| is_specification(path)) {
                match Document::read(&path) {
                    Ok(document) => registry.documents.push((priority, path, document)),
                    Err(error) => registry.broken.push(format!("{}: {error}", path.display())),
                }
            }
        }
        registry
    }

    /// What these devices change; what a specification says about all of its devices, once.
    fn edits(&self, asked: &[(&str, String)]) -> Result<Edits> {
        let mut edits = Edits::default();
        let mut used: Vec<&Path> = Vec::new();
        for (flag, name) in asked {
            let (path, document, of_device) = self.find(flag, name)?;
            let wrong = |error: Error| {
                let words = format!("{flag} {name}: {}: {error}", path.display());
                let hint = error.hint().map(str::to_owned);
                let error = Error::new(error.kind(), words);
                match hint {
                    Some(hint) => error.with_hint(hint),
                    None => error,
                }
            };
            if !used.contains(&path) {
                used.push(path);
                edits.add(&document.container_edits).map_err(wrong)?;
            }
            edits.add(of_device).map_err(wrong)?;
        }
        Ok(edits)
    }

    fn find(&self, flag: &str, name: &str) -> Result<(&Path, &Document, &ContainerEdits)> {
        let (kind, wanted) =
            device::split_qualified(name).ok_or_else(|| Error::invalid(format!("{flag} {name}: not a CDI device")))?;
        let all = self.documents.iter().filter(|(_, _, document)| document.kind == kind).flat_map(
            |(priority, path, document)| {
                let devices = document.devices.iter().filter(|device| device.name == wanted);
                devices.map(move |device| (*priority, path.as_path(), document, &device.container_edits))
            },
        );
        let mut found: Vec<_> = all.collect();
        let Some(most) = found.iter().map(|(priority, ..)| *priority).max() else {
            return Err(self.missing(flag, name, kind));
        };
        found.retain(|(priority, ..)| *priority == most);
        match found.as_slice() {
            [(_, path, document, edits)] => Ok((path, document, edits)),
            [(_, one, ..), (_, other, ..), ..] => {
                let (one, other) = (one.display(), other.display());
                Err(Error::conflict(format!("{flag} {name}: both {one} and {other} describe this device")))
            }
            [] => Err(self.missing(flag, name, kind)),
        }
    }

    fn missing(&self, flag: &str, name: &str, kind: &str) -> Error {
        let devices = self.documents.iter().filter(|(_, _, document)| document.kind == kind);
        let mut names: Vec<&str> =
            devices.flat_map(|(_, _, document)| document.devices.iter().map(|device| device.name.as_str())).collect();
        names.dedup();
        names.truncate(10);
        let error = Error::not_found(format!("{flag} {name}: no CDI specification of this host has this device"));
        match (names.is_empty(), self.broken.first()) {
            (false, _) => error.with_hint(format!("{kind} has {}", names.join(", "))),
            (true, Some(broken)) => error.with_hint(format!("this file cannot be read: {broken}")),
            (true, None) => error.with_hint(format!("specifications lie in {}", DIRECTORIES.join(" and "))),
        }
    }
}

fn is_specification(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json" || extension == "yaml")
}

impl Edits {
    fn add(&mut self, edits: &ContainerEdits) -> Result<()> {
        if edits.intel_rdt.is_some() {
            return Err(Error::unsupported("intelRdt: classes of the cache are not given to containers"));
        }
        if !edits.net_devices.is_empty() {
            return Err(Error::unsupported("netDevices: network devices are not given to containers"));
        }
        self.env.extend(edits.env.iter().cloned());
        for node in &edits.device_nodes {
            let found = found(node)?;
            self.devices.retain(|other| other.target != found.target);
            self.devices.push(found);
        }
        for mount in &edits.mounts {
            self.mounts.push(mount.to_oci()?);
        }
        for hook in &edits.hooks {
            let hooks = self.hooks.get_or_insert_default();
            let list = match hook.hook_name {
                HookName::Prestart => hooks.prestart_mut(),
                HookName::CreateRuntime => hooks.create_runtime_mut(),
                HookName::CreateContainer => hooks.create_container_mut(),
                HookName::StartContainer => hooks.start_container_mut(),
                HookName::Poststart | HookName::Poststop => {
                    return Err(Error::unsupported(format!(
                        "hook {:?}: runs too late to be supported",
                        hook.hook_name
                    )));
                }
            };
            list.get_or_insert_default().push(hook.to_oci());
        }
        // Nobody is made a member of root's group by a file about a device (specification, `additionalGids`).
        for gid in edits.additional_gids.iter().filter(|gid| **gid != 0) {
            if !self.groups.contains(gid) {
                self.groups.push(*gid);
            }
        }
        Ok(())
    }
}

/// A device as it is described; what is left out is that of the host.
fn found(node: &DeviceNode) -> Result<Found> {
    let target = PathBuf::from(&node.path);
    if !target.is_absolute() {
        return Err(Error::invalid(format!("deviceNodes: {} is not an absolute path", node.path)));
    }
    let access = node.permissions.clone().filter(|text| !text.is_empty()).unwrap_or_else(|| "rwm".to_owned());
    if !access.chars().all(|letter| "rwm".contains(letter)) {
        return Err(Error::invalid(format!("deviceNodes: {}: permissions {access:?} are not r, w and m", node.path)));
    }
    let host = node.host_path.as_deref().filter(|path| !path.is_empty()).unwrap_or(&node.path);
    let mut found = if let (Some(kind), Some(major), Some(minor)) = (&node.kind, node.major, node.minor) {
        let kind = kind_of(kind).ok_or_else(|| {
            Error::invalid(format!("deviceNodes: {}: type {kind:?} is none of b, c, u and p", node.path))
        })?;
        Found { target, kind, major, minor, mode: 0o666, uid: 0, gid: 0, access: Some(access) }
    } else {
        let metadata =
            std::fs::metadata(host).map_err(|error| Error::not_found(format!("deviceNodes: {host}: {error}")))?;
        found_device(&target, &metadata, Some(&access))
            .ok_or_else(|| Error::invalid(format!("deviceNodes: {host} is not a device")))?
    };
    found.mode = node.file_mode.map_or(found.mode, |mode| mode & 0o7777);
    found.uid = node.uid.unwrap_or(found.uid);
    found.gid = node.gid.unwrap_or(found.gid);
    Ok(found)
}

fn kind_of(text: &str) -> Option<LinuxDeviceType> {
    match text {
        "b" => Some(LinuxDeviceType::B),
        "c" | "u" => Some(LinuxDeviceType::C),
        "p" => Some(LinuxDeviceType::P),
        _ => None,
    }
}
