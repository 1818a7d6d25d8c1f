//! What is mounted, and what each mount means to who looks at it (proc_pid_mountinfo(5)).

use std::path::Path;

use crate::seen::{Seen, Unseen};

/// Where [`parse`]'s text comes from.
pub(crate) const MOUNTINFO: &str = "proc/self/mountinfo";

/// One line of `/proc/self/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Which part of the file system is shown here; `/` is all of it.
    pub(crate) root: String,
    /// Where it is shown.
    pub(crate) target: String,
    /// Type of the file system: `overlay`, `proc`, `ext4`, …
    pub(crate) kind: String,
    /// Nothing can be changed through this mount.
    pub(crate) read_only: bool,
    /// Options of the file system itself; of an overlay, its layers.
    pub(crate) options: String,
}

/// What a mount is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The root of all files.
    Root,
    /// Lies over a file or directory of the kernel, so that nothing of it is seen.
    Masked,
    /// The kernel itself speaks here, and may not be spoken to.
    KernelReadOnly,
    /// The kernel itself speaks here.
    Kernel,
    /// In memory, gone with the container.
    Memory,
    /// Files that lie outside: a volume, `/etc/hosts`, a directory of the host.
    Outside,
    /// The same in read-only.
    OutsideReadOnly,
}

const KERNEL: [&str; 12] = [
    "proc",
    "sysfs",
    "devpts",
    "mqueue",
    "cgroup",
    "cgroup2",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "binfmt_misc",
    "hugetlbfs",
];

impl Mount {
    /// What this mount is there for.
    pub(crate) fn purpose(&self) -> Purpose {
        let memory = matches!(self.kind.as_str(), "tmpfs" | "devtmpfs" | "ramfs");
        if self.target == "/" {
            Purpose::Root
        } else if self.hides() {
            Purpose::Masked
        } else if KERNEL.contains(&self.kind.as_str()) || self.target.starts_with(CGROUPS) {
            if self.read_only { Purpose::KernelReadOnly } else { Purpose::Kernel }
        } else if memory && self.root == "/" {
            Purpose::Memory
        } else if self.read_only {
            Purpose::OutsideReadOnly
        } else {
            Purpose::Outside
        }
    }

    /// Whatever is over a path of the kernel and is not the kernel's own lies there to hide what is below: an empty
    /// directory over a directory, `/dev/null` over a file.
    fn hides(&self) -> bool {
        let below_kernel = self.target.starts_with("/proc/") || self.target.starts_with("/sys/");
        below_kernel && !KERNEL.contains(&self.kind.as_str()) && !self.target.starts_with(CGROUPS)
    }

    /// Lower layers and whether there is a writable one, if this is an overlay that tells. Layers stand in one list
    /// with colons, or each in an option of its own when they were given to the new mount interface one by one.
    pub(crate) fn layers(&self) -> Option<(usize, bool)> {
        if self.kind != "overlay" {
            return None;
        }
        let options = || split_unescaped(&self.options, ',');
        let of_option = |option: &str| {
            let (name, value) = option.split_once('=')?;
            match name {
                "lowerdir" => Some(split_unescaped(value, ':').filter(|layer| !layer.is_empty()).count()),
                "lowerdir+" | "datadir+" => Some(1),
                _ => None,
            }
        };
        let lower = options().filter_map(of_option).sum();
        (lower > 0).then(|| (lower, options().any(|option| option.starts_with("upperdir="))))
    }
}

/// Where hosts and containers show control groups.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Parts of `text` between `separator`s that no backslash stands before.
fn split_unescaped(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |character| {
        let ends = character == separator && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })
}

/// Parses the text of `/proc/self/mountinfo`. Only mounts that can be seen are kept: one that another lies over, on the
/// same directory, is not.
pub(crate) fn parse(text: &str) -> Seen<Vec<Mount>> {
    let mut mounts: Vec<Mount> = Vec::new();
    for line in text.lines() {
        let mount = parse_line(line).ok_or_else(|| Unseen::strange("/proc/self/mountinfo"))?;
        mounts.retain(|earlier| earlier.target != mount.target);
        mounts.push(mount);
    }
    Ok(mounts)
}

fn parse_line(line: &str) -> Option<Mount> {
    let (place, file_system) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, target, options) = (place.next()?, place.next()?, place.next()?);
    let mut file_system = file_system.splitn(3, ' ');
    let (kind, _source, super_options) = (file_system.next()?, file_system.next()?, file_system.next()?);
    let read_only = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount {
        root: unescape(root),
        target: unescape(target),
        kind: kind.to_owned(),
        read_only: read_only(options) || read_only(super_options),
        options: unescape(super_options),
    })
}

/// The kernel writes space, tab, newline and backslash as three octal digits after a backslash.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        out.push_str(&rest[..at]);
        out.push(code.map_or('\\', char::from));
        rest = &rest[at + if code.is_some() { 4 } else { 1 }..];
    }
    out + rest
}

/// The directory that shows the control group `path` of the hierarchy mounted by `mount`, below `root`. A container
/// sees a part of the tree, of which [`Mount::root`] is the top.
pub(crate) fn directory_of_group(root: &Path, mount: &Mount, path: &str) -> std::path::PathBuf {
    let below = path.strip_prefix(mount.root.trim_end_matches('/')).unwrap_or("");
    let target = root.join(mount.target.trim_start_matches('/'));
    target.join(below.trim_start_matches('/'))
}

#[cfg(test)]
#[path = "mounts_tests.rs"]
mod tests;
