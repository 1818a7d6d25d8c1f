//! systemd as the one who makes a container's cgroup: a transient scope, with the limits as its properties.
//!
//! # Who is in it first
//! A scope is made with the processes that are to be in it, and goes when there are none, while a container's process shall
//! be born in it. So a process that does nothing but wait is put in first, and ended as soon as the container's first
//! process is there ([`Cgroups::settled`]). It dies with the thread that made it: if that is killed in between, systemd
//! removes the scope, and nothing is left.
//!
//! Without root a process outside of the user's own tree cannot be moved or born there; systemd can move it. Then the
//! container's process waits at the start, [`UnitOptions::process`] says which one it is, and nothing is born there.

/// Annotations as properties.
mod annotations;
/// D-Bus.
mod bus;
/// Rules of devices as properties.
mod devices;
/// What is asked of systemd.
mod manager;
/// Paths as names of units.
mod name;
/// Limits as properties.
mod properties;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;
use rustix::process::{Pid, Signal, WaitOptions, pidfd_send_signal, waitpid};
use serde::{Deserialize, Serialize};

use super::create::Existing;
use super::hierarchy::Hierarchy;
use super::limits::{Present, Version};
use super::{Cgroups, create};
use crate::error::{Error, Result};
use bus::Value;
use manager::{Manager, Which};

/// Who makes the cgroups of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// We do, as directories.
    #[default]
    Cgroupfs,
    /// systemd does, as a unit.
    Systemd,
}

/// What else a unit needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnitOptions<'a> {
    /// The container's id: in the description, and the name of the unit without a path.
    pub id: &'a str,
    /// Annotations of the configuration; `org.systemd.property.NAME` are properties of the unit.
    pub annotations: Option<&'a HashMap<String, String>>,
    /// The process that is to be in it first. None: the container's will be born there.
    pub process: Option<Pid>,
}

/// The unit of a container.
#[derive(Debug)]
pub(super) struct Unit {
    name: String,
    which: Which,
    placeholder: RefCell<Option<Placeholder>>,
}

/// A process that waits for its end, which comes with the end of this value.
#[derive(Debug)]
struct Placeholder(sys::clone::Child);

impl Placeholder {
    fn new() -> Result<Placeholder> {
        let child = sys::clone::placeholder();
        child.map(Placeholder).map_err(|errno| Error::system("clone3 (hold a place in the unit)", errno))
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        pidfd_send_signal(&self.0.pidfd, Signal::KILL).ok();
        waitpid(Some(self.0.pid), WaitOptions::empty()).ok();
    }
}

impl Cgroups {
    /// As [`Cgroups::create`], with the driver given. For systemd `path` is `slice:prefix:name`, or empty for `phial-ID` in
    /// the usual slice.
    ///
    /// With systemd and no process in `options`, [`Cgroups::settled`] must be called once the container's first process is
    /// in the cgroup.
    ///
    /// # Errors
    /// As of [`Cgroups::create`]; `Unsupported` where there is no systemd.
    pub fn create_with(
        driver: Driver,
        hierarchies: &[Hierarchy],
        path: &Path,
        resources: Option<&LinuxResources>,
        options: &UnitOptions<'_>,
    ) -> Result<Cgroups> {
        match driver {
            Driver::Cgroupfs => Cgroups::create(hierarchies, path, resources),
            Driver::Systemd => create_unit(hierarchies, path, resources, options),
        }
    }

    /// The container's first process is in its cgroup: what held its place ends.
    pub fn settled(&self) {
        if let Some(unit) = &self.unit {
            unit.placeholder.take();
        }
    }

    /// Moves a process into the cgroups, by systemd where this process may not.
    ///
    /// # Errors
    /// `System`, naming the file.
    pub fn attach(&self, process: Pid) -> Result<()> {
        let number = process.as_raw_nonzero();
        for directory in &self.directories {
            const FILE: &str = "cgroup.procs";
            match (directory.set(FILE, &number.to_string()), &self.unit) {
                (Ok(()), _) => {}
                (Err(_), Some(unit)) => {
                    let number = u32::try_from(number.get()).map_err(|error| Error::system("process", error))?;
                    return Manager::connect(unit.which)?.attach(&unit.name, number);
                }
                (Err(errno), None) => return Err(directory.error(FILE, errno)),
            }
        }
        Ok(())
    }
}

fn create_unit(
    hierarchies: &[Hierarchy],
    path: &Path,
    resources: Option<&LinuxResources>,
    options: &UnitOptions<'_>,
) -> Result<Cgroups> {
    let name = name::parse(&path.to_string_lossy(), options.id)?;
    let version = if hierarchies.iter().all(|one| one.unified) { Version::V2 } else { Version::V1 };
    let resources = resources.map(|resources| properties::rounded(resources, &Present::default()));
    let resources = resources.as_ref();
    // What cannot be is refused before anything is made.
    resources.map(|limits| super::limits::writes(limits, version, &Present::default())).transpose()?;
    let which = Which::of_this_process();
    let mut manager = Manager::connect(which)?;
    let placeholder = if options.process.is_some() { None } else { Some(Placeholder::new()?) };
    let first = options.process.or(placeholder.as_ref().map(|placeholder| placeholder.0.pid));
    let mut list = description(&name, which, version, first, options)?;
    list.extend(limits(resources, version, &manager)?);
    manager.start_unit(&name.unit, &list)?;
    let found = manager.control_group(&name.unit);
    let unit = Unit { name: name.unit, which, placeholder: RefCell::new(placeholder) };
    let mut made = Cgroups { directories: Vec::with_capacity(hierarchies.len()), unit: Some(unit) };
    let filled = found.and_then(|path| {
        let relative = create::relative(&path)?;
        made.fill(hierarchies, &relative, resources, Existing::Keep)
    });
    match filled {
        Ok(()) => Ok(made),
        Err(error) => {
            made.remove().ok();
            Err(error)
        }
    }
}

/// The limits of a new unit, and its devices.
fn limits(resources: Option<&LinuxResources>, version: Version, manager: &Manager) -> Result<Vec<(String, Value)>> {
    let mut list = Vec::new();
    if let Some(resources) = resources {
        list.extend(properties::properties(resources, version, manager.version, &Present::default())?);
    }
    let rules = resources.and_then(|resources| resources.devices().as_deref()).unwrap_or_default();
    list.extend(devices::properties(&super::devices::with_defaults(rules)?));
    Ok(list)
}

/// Everything about a unit that is no limit. Annotations come last, so that they win.
fn description(
    name: &name::Name,
    which: Which,
    version: Version,
    first: Option<Pid>,
    options: &UnitOptions<'_>,
) -> Result<Vec<(String, Value)>> {
    let text = |text: &str| Value::Text(text.to_owned());
    let slice = name.slice.as_deref().unwrap_or_else(|| which.slice());
    let first = first.and_then(|process| u32::try_from(process.as_raw_nonzero().get()).ok());
    let input_output = match version {
        Version::V1 => "BlockIOAccounting",
        Version::V2 => "IOAccounting",
    };
    let mut list: Vec<(String, Value)> = [
        ("Description", text(&format!("Phial container {}", options.id))),
        ("Slice", text(slice)),
        ("Delegate", Value::Bool(true)),
        ("PIDs", Value::Numbers(first.into_iter().collect())),
        ("DefaultDependencies", Value::Bool(false)),
        ("MemoryAccounting", Value::Bool(true)),
        ("CPUAccounting", Value::Bool(true)),
        (input_output, Value::Bool(true)),
        ("TasksAccounting", Value::Bool(true)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    list.extend(annotations::properties(options.annotations)?);
    Ok(list)
}

impl Unit {
    /// The unit whose cgroup this is.
    pub(super) fn of_directory(path: &Path) -> Option<Unit> {
        let name = PathBuf::from(path.file_name()?).to_str()?.to_owned();
        Some(Unit { name, which: Which::of_this_process(), placeholder: RefCell::new(None) })
    }

    /// Tells systemd of new limits. Returns them as systemd will write them.
    ///
    /// # Errors
    /// `Invalid` for what systemd refuses, else `System`.
    pub(super) fn update(
        &self,
        resources: &LinuxResources,
        version: Version,
        present: &Present,
    ) -> Result<LinuxResources> {
        let resources = properties::rounded(resources, present);
        let mut manager = Manager::connect(self.which)?;
        let mut list = properties::properties(&resources, version, manager.version, present)?;
        if let Some(rules) = resources.devices().as_deref().filter(|rules| !rules.is_empty()) {
            list.extend(devices::properties(&super::devices::with_defaults(rules)?));
        }
        if !list.is_empty() {
            manager.set_properties(&self.name, &list)?;
        }
        Ok(resources)
    }

    /// Stops it, which ends every process in it.
    ///
    /// # Errors
    /// `System`, naming it.
    pub(super) fn stop(&self) -> Result<()> {
        self.placeholder.take();
        Manager::connect(self.which)?.stop_unit(&self.name)
    }
}

#[cfg(test)]
mod tests;
