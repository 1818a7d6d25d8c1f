//! Cgroups that the container has made below its own, for further processes. Their names come from callers, and what they
//! stand for from the container: a path is taken below the container's directory and cannot lead out of it.

use std::path::{Component, Path, PathBuf};

use rustix::process::Pid;

use super::directory::Directory;
use super::limits::Version;
use super::{Cgroups, enable, hierarchy};
use crate::error::{Error, ErrorKind, Result};

impl Cgroups {
    /// Takes the cgroup `path` below the container's own in place of that: in every hierarchy, or on v1 in those with one
    /// of these controllers. `/` is the container's own.
    ///
    /// # Errors
    /// `Invalid` for a path that leads out or a controller that there is none of, `System` where there is no such cgroup.
    pub fn descend(&mut self, controllers: &[&str], path: &Path) -> Result<()> {
        let relative = relative(path)?;
        if let Some(controller) =
            controllers.iter().find(|one| self.version() == Version::V2 || self.with(one).is_none())
        {
            let message =
                format!("--cgroup {controller}:{}: the container has no hierarchy of {controller}", path.display());
            let hint = "cgroup v2 has one hierarchy for all: give the path alone";
            return Err(Error::new(ErrorKind::Invalid, message).with_hint(hint));
        }
        for directory in &mut self.directories {
            if controllers.is_empty() || controllers.iter().any(|controller| directory.has(controller)) {
                *directory =
                    Directory::open(&directory.path.join(&relative), directory.version, &directory.controllers)?;
            }
        }
        Ok(())
    }

    /// Of a container that has divided its v2 cgroup: takes the cgroup of its first process, because the kernel lets none
    /// into one that passes on controllers of whole processes. It is below the container's; where it is not, nothing is
    /// changed.
    ///
    /// # Errors
    /// `System`, naming the file.
    pub fn descend_to(&mut self, process: Pid) -> Result<()> {
        let Some(directory) = self.directories.iter_mut().find(|directory| directory.version == Version::V2) else {
            return Ok(());
        };
        if !enable::is_divided(directory)? {
            return Ok(());
        }
        let Some(own) = unified(process)? else { return Ok(()) };
        let mount = hierarchy::all()?.into_iter().find(|hierarchy| hierarchy.unified).map(|hierarchy| hierarchy.mount);
        let path = mount.unwrap_or_default().join(own);
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        if path.strip_prefix(&directory.path).is_ok_and(|below| below.components().all(plain)) {
            *directory = Directory::open(&path, Version::V2, &[])?;
        }
        Ok(())
    }
}

/// A path without the slash in front and without `..`.
fn relative(path: &Path) -> Result<PathBuf> {
    let below = path.strip_prefix("/").unwrap_or(path);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if below.components().all(plain) {
        return Ok(below.to_owned());
    }
    let message = format!("--cgroup {}: is not a sub cgroup path of the container", path.display());
    Err(Error::new(ErrorKind::Invalid, message))
}

/// Where a process is in the unified hierarchy, below its root (`cgroups(7)`, "/proc/PID/cgroup").
fn unified(process: Pid) -> Result<Option<PathBuf>> {
    let file = format!("/proc/{}/cgroup", process.as_raw_nonzero());
    let text = std::fs::read_to_string(&file).map_err(|error| Error::system(file, error))?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"));
    Ok(own.map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out() {
        for (path, below) in [("a", "a"), ("/a/b", "a/b"), ("/", ""), ("", ""), ("./a", "./a")] {
            assert_eq!(relative(Path::new(path)).expect("below"), Path::new(below), "{path}");
        }
        for path in ["..", "../a", "a/../../b", "/..", "/a/.."] {
            assert!(relative(Path::new(path)).is_err(), "{path}");
        }
    }
}
