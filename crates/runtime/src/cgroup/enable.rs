//! Controllers of the unified hierarchy: a cgroup has the files of those that every cgroup above it passes on
//! (kernel `cgroup-v2.rst`, "Controlling Controllers" and "Threads").

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::directory::Directory;
use super::limits::Write;
use crate::error::{Error, ErrorKind, Result};

const AVAILABLE: &str = "cgroup.controllers";
const ENABLED: &str = "cgroup.subtree_control";

/// What a container is accounted by, limited or not.
const ALWAYS: [&str; 4] = ["cpu", "io", "memory", "pids"];

/// Controllers that work on threads of one process in different cgroups. All others need a whole process ("domain").
const THREADED: [&str; 4] = ["cpu", "cpuset", "perf_event", "pids"];

/// Makes the directories above the container's, and has each pass on the controllers that the limits need, from the root
/// down. What cannot be enabled shows at the limit's own file, where [`lacking`] says why.
pub(super) fn in_parents(mount: &Path, relative: &Path, writes: &[Write]) -> Result<()> {
    let mut wanted: Vec<&str> = writes.iter().map(|write| write.controller.as_ref()).chain(ALWAYS).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut directory = mount.to_owned();
    enable(&directory, &wanted);
    for part in relative.parent().into_iter().flat_map(Path::iter) {
        directory.push(part);
        match std::fs::create_dir(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::system(directory.display(), error));
            }
            _ => enable(&directory, &wanted),
        }
    }
    Ok(())
}

fn enable(directory: &Path, wanted: &[&str]) {
    let missing = missing(directory, wanted);
    let words: Vec<String> = missing.iter().map(|controller| format!("+{controller}")).collect();
    if words.is_empty() || std::fs::write(directory.join(ENABLED), words.join(" ")).is_ok() {
        return;
    }
    // One that cannot be enabled keeps the others of the same write from it.
    for word in words {
        std::fs::write(directory.join(ENABLED), word).ok();
    }
}

fn missing<'a>(directory: &Path, wanted: &[&'a str]) -> Vec<&'a str> {
    let words = |file| std::fs::read_to_string(directory.join(file)).unwrap_or_default();
    let (available, enabled) = (words(AVAILABLE), words(ENABLED));
    let has = |list: &str, controller: &str| list.split_whitespace().any(|word| word == controller);
    wanted.iter().copied().filter(|one| has(&available, one) && !has(&enabled, one)).collect()
}

/// Whether a cgroup passes on controllers of whole processes, so that no process may be in it ("No Internal Process
/// Constraint").
///
/// # Errors
/// `System`, naming the file.
pub(super) fn is_divided(directory: &Directory) -> Result<bool> {
    let enabled = directory.find(ENABLED)?.unwrap_or_default();
    Ok(enabled.split_whitespace().any(|controller| !THREADED.contains(&controller)))
}

/// A cgroup below one whose threads are spread is "domain invalid" and takes no process until it is threaded too, which it
/// can only be without controllers of whole processes.
///
/// # Errors
/// `Unsupported` for such a limit there.
pub(super) fn check_kind(directory: &Directory, writes: &[Write]) -> Result<()> {
    const FILE: &str = "cgroup.type";
    let kind = directory.find(FILE)?.unwrap_or_default();
    if !matches!(kind.as_str(), "domain invalid" | "domain threaded" | "threaded") {
        return Ok(());
    }
    let path = directory.path.display();
    let domain = |write: &&Write| write.controller != "cgroup" && !THREADED.contains(&write.controller.as_ref());
    if let Some(write) = writes.iter().find(domain) {
        let message = format!(
            "{} {}: cgroup {path} is {kind:?}: below a cgroup with threads there is no controller {}",
            write.field, write.value, write.controller
        );
        let hint = "give a linux.cgroupsPath elsewhere, or only limits of cpu, cpuset and pids";
        return Err(Error::new(ErrorKind::Unsupported, message).with_hint(hint));
    }
    if kind == "domain invalid" {
        directory.set(FILE, "threaded").map_err(|errno| directory.error(FILE, errno))?;
    }
    Ok(())
}

/// Why a v2 cgroup has no file for this limit.
pub(super) fn lacking(directory: &Directory, write: &Write) -> Error {
    let (controller, path) = (write.controller.as_ref(), directory.path.display());
    let has = |list: String| list.split_whitespace().any(|word| word == controller);
    let message = |why: String| format!("{} {}: {why}", write.field, write.value);
    if controller == "cgroup" || directory.get(AVAILABLE).is_ok_and(has) {
        let why = format!("this kernel has no {} for cgroup {path}", write.file);
        return Error::new(ErrorKind::Unsupported, message(why));
    }
    let (why, hint) = reason(&directory.path, controller);
    let why = format!("cgroup {path} has no controller {controller}{why}");
    Error::new(ErrorKind::Unsupported, message(why)).with_hint(hint)
}

/// Has every cgroup above this one pass the controller on, as far as that goes: limits may come long after the cgroup.
pub(super) fn above(path: &Path, controller: &str) {
    for parent in parents(path) {
        enable(&parent, &[controller]);
    }
}

/// Those above a cgroup, from the root down.
fn parents(path: &Path) -> Vec<PathBuf> {
    let above = path.ancestors().skip(1).filter(|parent| parent.join(ENABLED).exists());
    let mut above: Vec<PathBuf> = above.map(Path::to_owned).collect();
    above.reverse();
    above
}

/// The first cgroup from the root down that does not pass the controller on, and what the kernel says when asked again.
fn reason(path: &Path, controller: &str) -> (String, &'static str) {
    for parent in parents(path) {
        if missing(&parent, &[controller]).is_empty() {
            continue;
        }
        let errno = std::fs::write(parent.join(ENABLED), format!("+{controller}")).err();
        let errno = errno.as_ref().and_then(Errno::from_io_error);
        let hint = match errno {
            Some(Errno::BUSY) => "it has processes of its own: give a linux.cgroupsPath beside them, not below",
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => "it was not delegated to this user",
            Some(Errno::OPNOTSUPP) => "it is threaded: give a linux.cgroupsPath elsewhere",
            _ => "see its cgroup.controllers and cgroup.subtree_control",
        };
        let why = errno.map(|errno| format!(": {errno}")).unwrap_or_default();
        return (format!(": {} does not pass it on{why}", parent.display()), hint);
    }
    (String::new(), "the kernel lacks it, it is mounted as cgroup v1, or the cgroups above do not pass it on")
}
