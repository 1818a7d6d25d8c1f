//! Shares of the processor's caches and memory bandwidth: `linux.intelRdt`, by the kernel's resctrl file system
//! (runtime-spec `config-linux.md`, "IntelRdt"; kernel `filesystems/resctrl.rst`).
//!
//! A group without a name of its own is the container's: made, and removed with it. One with a name (`closID`) may be
//! shared with others; it is made where it has schemata and is missing, and stays.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxIntelRdt, Spec};
use rustix::fs::{Mode, OFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::mountinfo;

/// Names in the file system that are no groups.
const RESERVED: [&str; 3] = ["info", "mon_data", "mon_groups"];

/// What a configuration wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    group: String,
    /// Whether it is named after the container.
    own: bool,
    schemata: Vec<String>,
    /// Name of a group that only measures, in the other one.
    monitored_as: Option<String>,
}

impl Wanted {
    /// That of a container with this id.
    ///
    /// # Errors
    /// `Invalid`, naming field and value.
    pub fn of(spec: &Spec, id: &str) -> Result<Option<Wanted>> {
        let wanted = spec.linux().as_ref().and_then(|linux| linux.intel_rdt().as_ref());
        wanted.map(|wanted| Wanted::read(wanted, id)).transpose()
    }

    fn read(wanted: &LinuxIntelRdt, id: &str) -> Result<Wanted> {
        let invalid = |field: &str, value: &str, why: &str| {
            Error::new(ErrorKind::Invalid, format!("linux.intelRdt.{field} {value:?}: {why}"))
        };
        let name = wanted.clos_id().as_deref().filter(|name| !name.is_empty());
        let group = name.unwrap_or(id);
        if group.contains('/') || [".", ".."].contains(&group) || RESERVED.contains(&group) {
            return Err(invalid("closID", group, "is no name of a group"));
        }
        let lines = |schema: Option<&String>| -> Vec<String> {
            schema.iter().flat_map(|schema| schema.lines()).map(str::to_owned).collect()
        };
        let bandwidth = lines(wanted.mem_bw_schema().as_ref());
        let mut schemata = lines(wanted.l3_cache_schema().as_ref());
        if !bandwidth.is_empty() {
            schemata.retain(|line| !line.trim_start().starts_with("MB:"));
        }
        schemata.extend(bandwidth);
        for line in wanted.schemata().iter().flatten() {
            if line.contains('\n') {
                return Err(invalid("schemata", line, "is more than one line"));
            }
            schemata.push(line.clone());
        }
        let monitored = [wanted.enable_monitoring(), wanted.enable_cmt(), wanted.enable_mbm()];
        let monitored = monitored.into_iter().any(|flag| *flag == Some(true));
        let own = name.is_none();
        Ok(Wanted { group: group.to_owned(), own, schemata, monitored_as: monitored.then(|| id.to_owned()) })
    }

    /// Whether it is measured by itself.
    pub(crate) fn is_monitored(&self) -> bool {
        self.monitored_as.is_some()
    }

    /// The group's name.
    pub(crate) fn name(&self) -> &str {
        &self.group
    }

    /// Makes the group, and opens the file that processes join it by.
    pub(crate) fn join(&self) -> Result<OwnedFd> {
        let root = self.mounted()?;
        self.make(&root)?;
        tasks(&self.directory(&root)).inspect_err(|_| self.remove_from(&root))
    }

    /// Makes the group that measures, which processes of the other one can join.
    pub(crate) fn measure(&self) -> Result<OwnedFd> {
        let root = self.mounted()?;
        let Some(directory) = self.monitor(&root) else { return tasks(&self.directory(&root)) };
        let made = match fs::create_dir(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(failed("enableMonitoring", &directory, error).with_hint(
                    "the processor must be able to measure, and have a monitor left (info/L3_MON/num_rmids)",
                ))
            }
            _ => tasks(&directory),
        };
        made.inspect_err(|_| self.remove_from(&root))
    }

    /// Changes the schemata of the group of a container that runs.
    ///
    /// # Errors
    /// `System` or `Invalid`, naming the line and what the kernel says of it.
    pub fn change(&self, line: &str) -> Result<()> {
        let root = self.mounted()?;
        self.write(&root, &[line.to_owned()])
    }

    /// Removes what is the container's own. A group with a name stays.
    ///
    /// # Errors
    /// `System`, naming the directory.
    pub fn remove(&self) -> Result<()> {
        match mount_point() {
            Some(root) => self.take_away(&root),
            // Nothing was made without it.
            None => Ok(()),
        }
    }

    fn take_away(&self, root: &Path) -> Result<()> {
        let ours = if self.own { Some(self.directory(root)) } else { self.monitor(root) };
        match ours.map(|directory| (fs::remove_dir(&directory), directory)) {
            Some((Err(error), directory)) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failed("closID", &directory, error))
            }
            _ => Ok(()),
        }
    }

    /// After an error that is told already.
    fn remove_from(&self, root: &Path) {
        self.take_away(root).ok();
    }

    fn make(&self, root: &Path) -> Result<()> {
        let directory = self.directory(root);
        let exists = directory.is_dir();
        if !self.own && exists {
            return self.compare(&directory);
        }
        if !self.own && self.schemata.is_empty() {
            let message =
                format!("linux.intelRdt.closID {:?}: there is no such group in {}", self.group, root.display());
            return Err(Error::new(ErrorKind::Invalid, message).with_hint("make it, or give its schemata"));
        }
        if !exists {
            fs::create_dir(&directory).map_err(|error| {
                failed("closID", &directory, error)
                    .with_hint("the processor has no class of service left (info/*/num_closids), or you are not root")
            })?;
        }
        self.write(root, &self.schemata).inspect_err(|_| {
            if !exists {
                fs::remove_dir(&directory).ok();
            }
        })
    }

    /// Of a group that others have made, each line must be what is asked for.
    fn compare(&self, directory: &Path) -> Result<()> {
        let path = directory.join("schemata");
        let found = fs::read_to_string(&path).map_err(|error| failed("schemata", &path, error))?;
        let plain = |line: &str| line.split_whitespace().collect::<String>();
        let found: Vec<String> = found.lines().map(plain).collect();
        match self.schemata.iter().find(|line| !found.contains(&plain(line))) {
            None => Ok(()),
            Some(line) => {
                let message = format!("linux.intelRdt.schemata {line:?}: is not that of the group {:?}", self.group);
                Err(Error::new(ErrorKind::Invalid, message).with_hint(format!("see {}", path.display())))
            }
        }
    }

    /// One line a write, as the kernel wants it.
    fn write(&self, root: &Path, lines: &[String]) -> Result<()> {
        let path = self.directory(root).join("schemata");
        lines.iter().try_for_each(|line| {
            fs::write(&path, format!("{line}\n")).map_err(|error| {
                let said = fs::read_to_string(root.join("info/last_cmd_status")).unwrap_or_default();
                failed(&format!("schemata {line:?}"), &path, error).with_hint(format!(
                    "{}: the file schemata of {} shows what this machine has",
                    said.trim_end(),
                    root.display()
                ))
            })
        })
    }

    fn directory(&self, root: &Path) -> PathBuf {
        root.join(&self.group)
    }

    fn monitor(&self, root: &Path) -> Option<PathBuf> {
        self.monitored_as.as_ref().map(|name| self.directory(root).join("mon_groups").join(name))
    }

    fn mounted(&self) -> Result<PathBuf> {
        mount_point().ok_or_else(|| {
            let kernel = crate::launch::kernel_name();
            let message = format!(
                "linux.intelRdt (group {:?}): no resctrl file system is mounted on this kernel ({kernel})",
                self.group
            );
            Error::new(ErrorKind::Unsupported, message).with_hint(
                "mount -t resctrl resctrl /sys/fs/resctrl; the processor must have cache or bandwidth allocation",
            )
        })
    }
}

/// Opens the file of a group that processes join it by.
fn tasks(directory: &Path) -> Result<OwnedFd> {
    let path = directory.join("tasks");
    rustix::fs::open(&path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| failed("closID", &path, errno))
}

fn failed(field: &str, path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::system(format!("linux.intelRdt.{field} ({})", path.display()), cause)
}

/// Where resctrl is mounted.
fn mount_point() -> Option<PathBuf> {
    let table = mountinfo::read(mountinfo::OWN).ok()?;
    mountinfo::mounts(&table).find(|mount| mount.kind == b"resctrl").map(|mount| mount.point())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn wanted(json: Value) -> Result<Wanted> {
        Wanted::read(&serde_json::from_value(json).expect("intelRdt"), "one")
    }

    #[test]
    fn schemata_are_put_together() {
        let both = json!({"l3CacheSchema": "L3:0=ff\nMB:0=10", "memBwSchema": "MB:0=50", "schemata": ["L2:0=1"]});
        let both = wanted(both).expect("valid");
        assert_eq!(both.schemata, ["L3:0=ff", "MB:0=50", "L2:0=1"]);
        assert!(both.own && !both.is_monitored());
        let named = wanted(json!({"closID": "gold", "enableMonitoring": true})).expect("valid");
        assert_eq!((named.name(), named.own, named.monitored_as.as_deref()), ("gold", false, Some("one")));
        for (json, message) in [
            (json!({"closID": "../x"}), "linux.intelRdt.closID \"../x\": is no name"),
            (json!({"closID": "info"}), "linux.intelRdt.closID \"info\": is no name"),
            (json!({"schemata": ["a\nb"]}), "linux.intelRdt.schemata \"a\\nb\": is more than one line"),
        ] {
            let error = wanted(json).expect_err("refused").to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn groups_of_others_are_used_as_they_are_and_stay() {
        let root = tempfile::tempdir().expect("a directory");
        let none = wanted(json!({"closID": "gold"})).expect("valid");
        let error = none.make(root.path()).expect_err("there is none").to_string();
        assert!(error.starts_with("linux.intelRdt.closID \"gold\": there is no such group"), "{error}");
        let gold = root.path().join("gold");
        fs::create_dir(&gold).expect("made");
        fs::write(gold.join("schemata"), "    L3:0=ff;1=ff\n    MB:0=100\n").expect("written");
        none.make(root.path()).expect("is used");
        wanted(json!({"closID": "gold", "l3CacheSchema": "L3:0=ff;1=ff"}))
            .expect("valid")
            .make(root.path())
            .expect("same");
        let other = wanted(json!({"closID": "gold", "l3CacheSchema": "L3:0=1"})).expect("valid");
        let error = other.make(root.path()).expect_err("another").to_string();
        assert!(error.starts_with("linux.intelRdt.schemata \"L3:0=1\": is not that of the group \"gold\""), "{error}");
        none.take_away(root.path()).expect("nothing to do");
        assert!(gold.is_dir());
    }

    #[test]
    fn a_group_of_the_container_comes_and_goes() {
        let root = tempfile::tempdir().expect("a directory");
        let own = wanted(json!({})).expect("valid");
        own.make(root.path()).expect("made");
        assert!(root.path().join("one").is_dir());
        own.take_away(root.path()).expect("removed");
        own.take_away(root.path()).expect("is gone already");
        assert!(!root.path().join("one").exists());
    }
}
