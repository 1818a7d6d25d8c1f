//! Setting limits: on new cgroups, and on those of a container that runs.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources};
use rustix::io::Errno;

use super::directory::Directory;
use super::limits::{self, Missing, Order, Present, Version, Write};
use super::{Cgroups, devices, enable};
use crate::error::{Error, ErrorKind, Result};

/// A write that the kernel refused.
struct Refused {
    errno: Errno,
    error: Error,
}

impl Cgroups {
    /// Changes the limits that `resources` has, and leaves the others. Device rules replace those before, if there are any.
    ///
    /// Fields mean what they mean at creation, with what the cgroup holds in place of fields that are not given: a new
    /// quota keeps the period, and `memory.swap` alone is taken with the present limit of memory.
    ///
    /// # Errors
    /// As of [`Cgroups::create`]. Limits before the one that failed are set.
    pub fn update(&self, resources: &LinuxResources) -> Result<()> {
        let version = self.version();
        let present = self.present()?;
        let mut writes = limits::writes(resources, version, &present)?;
        if let Some(unit) = &self.unit {
            writes = limits::writes(&unit.update(resources, version, &present)?, version, &present)?;
        }
        self.write_all(&writes)?;
        match resources.devices().as_deref() {
            Some(rules) if !rules.is_empty() => self.replace_devices(rules),
            _ => Ok(()),
        }
    }

    fn present(&self) -> Result<Present> {
        let find = |controller: &str, file: &str| match self.with(controller) {
            Some(directory) => directory.find(file),
            None => Ok(None),
        };
        if self.version() == Version::V1 {
            let period = find("cpu", "cpu.cfs_period_us")?.and_then(|text| text.parse().ok());
            return Ok(Present { period, quota: find("cpu", "cpu.cfs_quota_us")?, ..Present::default() });
        }
        let limit = find("memory", "memory.max")?;
        let bandwidth = find("cpu", "cpu.max")?.unwrap_or_default();
        let mut words = bandwidth.split_whitespace();
        Ok(Present {
            memory_limit: limit.and_then(|text| if text == "max" { Some(-1) } else { text.parse().ok() }),
            memory_usage: find("memory", "memory.current")?.and_then(|text| text.parse().ok()),
            quota: words.next().map(str::to_owned),
            period: words.next().and_then(|text| text.parse().ok()),
        })
    }

    /// Writes in order. What the kernel finds invalid beside its neighbours' present values is tried again after them.
    pub(super) fn write_all(&self, writes: &[Write]) -> Result<()> {
        let mut again = Vec::new();
        for write in writes {
            let others = |other: &&Write| other.order == write.order && *other != write;
            let in_set = write.order != Order::Alone && writes.iter().any(|other| others(&other));
            match self.write(write) {
                Ok(()) => {}
                Err(Refused { errno: Errno::INVAL, .. }) if in_set => again.push(write),
                Err(refused) => return Err(refused.error),
            }
        }
        again.into_iter().try_for_each(|write| self.write(write)).map_err(|refused| refused.error)
    }

    fn write(&self, write: &Write) -> std::result::Result<(), Refused> {
        let Some(directory) = self.directories.iter().find(|directory| directory.has(&write.controller)) else {
            return absent(write, || no_controller(write));
        };
        let (mut written, mut result) = either(directory, write);
        if result == Err(Errno::NOENT) && directory.version == Version::V2 {
            enable::above(&directory.path, &write.controller);
            (written, result) = either(directory, write);
        }
        match result {
            Ok(()) => Ok(()),
            Err(Errno::NOENT) => absent(write, || match directory.version {
                Version::V1 => no_file(directory, write),
                Version::V2 => enable::lacking(directory, write),
            }),
            Err(errno) => Err(Refused { errno, error: refused(directory, write, written, errno) }),
        }
    }

    /// The rules of a new container. Who may set none is let off where none are asked for, and in a user namespace, as by
    /// every runtime: there nobody gets at a device that its permissions do not give him.
    pub(super) fn set_devices(&self, rules: &[LinuxDeviceCgroup]) -> Result<()> {
        let Some(directory) = self.devices_directory(rules)? else { return Ok(()) };
        let result = devices::apply(directory, &devices::with_defaults(rules)?);
        let let_off = match directory.version {
            Version::V1 => false,
            Version::V2 if rules.is_empty() => !rustix::process::geteuid().is_root(),
            Version::V2 => crate::idmap::in_user_namespace(),
        };
        if let_off { Ok(()) } else { result }
    }

    /// The rules of a container that runs: v1 cannot change them at once, so that its processes stand still meanwhile.
    fn replace_devices(&self, rules: &[LinuxDeviceCgroup]) -> Result<()> {
        let Some(directory) = self.devices_directory(rules)? else { return Ok(()) };
        let rules = devices::with_defaults(rules)?;
        if directory.version == Version::V2 {
            return devices::replace(directory, &rules);
        }
        let frozen = !self.is_frozen()? && self.freeze().is_ok();
        let result = devices::apply(directory, &rules);
        if frozen {
            self.thaw()?;
        }
        result
    }

    fn devices_directory(&self, rules: &[LinuxDeviceCgroup]) -> Result<Option<&Directory>> {
        let directory = self.directories.iter().find(|directory| directory.has("devices"));
        if directory.is_none() && !rules.is_empty() {
            let message = "linux.resources.devices: this host has no cgroup controller devices";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(directory)
    }
}

/// Writes into the file, or where there is none into the other one. Says what was written where.
fn either<'a>(directory: &Directory, write: &'a Write) -> ((&'a String, &'a String), rustix::io::Result<()>) {
    let result = directory.set(&write.file, &write.value);
    match &write.otherwise {
        Some((file, value)) if result == Err(Errno::NOENT) => ((file, value), directory.set(file, value)),
        _ => ((&write.file, &write.value), result),
    }
}

/// Of a limit without a file.
fn absent(write: &Write, error: impl FnOnce() -> Error) -> std::result::Result<(), Refused> {
    match write.missing {
        Missing::Skip => Ok(()),
        Missing::SkipWithoutSwap if !host_has_swap() => Ok(()),
        _ => Err(Refused { errno: Errno::NOENT, error: error() }),
    }
}

/// The table has a line of heads, and one for each area.
fn host_has_swap() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|table| table.lines().count() > 1)
}

fn no_controller(write: &Write) -> Error {
    let message = format!("{} {}: this host has no cgroup controller {}", write.field, write.value, write.controller);
    Error::new(ErrorKind::Unsupported, message).with_hint("see /proc/cgroups and the mounts of type cgroup")
}

fn no_file(directory: &Directory, write: &Write) -> Error {
    let file = directory.path.join(&write.file);
    let message = format!("{} {}: this kernel has no {}", write.field, write.value, file.display());
    Error::new(ErrorKind::Unsupported, message)
}

fn refused(directory: &Directory, write: &Write, (file, value): (&String, &String), errno: Errno) -> Error {
    let path = directory.path.join(file);
    let message = format!("{}: writing {} to {}: {errno}", write.field, value.trim_end(), path.display());
    let kind = match errno {
        Errno::INVAL | Errno::RANGE | Errno::NODEV | Errno::NXIO => ErrorKind::Invalid,
        Errno::OPNOTSUPP => ErrorKind::Unsupported,
        _ => ErrorKind::System,
    };
    let error = Error::new(kind, message);
    match errno {
        Errno::BUSY if write.controller == "memory" => {
            let usage = directory.get("memory.usage_in_bytes").unwrap_or_default();
            error.with_hint(format!("{usage} bytes are in use and could not be freed: give a higher limit"))
        }
        Errno::BUSY => error.with_hint("the limit is below what is already in use: give a higher one"),
        Errno::INVAL | Errno::RANGE => {
            error.with_hint("the kernel refuses this value, alone or beside that of the cgroup above")
        }
        Errno::ACCESS if write.controller == "cpuset" => {
            error.with_hint("the cgroup above does not have all of these processors or nodes")
        }
        Errno::NODEV | Errno::NXIO => error.with_hint("there is no such disk; partitions have no limits of their own"),
        Errno::ROFS => error.with_hint("the cgroup file system is read-only here: run outside of a container"),
        _ => error,
    }
}
