//! Control groups: which one this process is in, and how much that allows (cgroups(7), and the kernel's
//! admin-guide/cgroup-v1 and cgroup-v2).
//!
//! A host has one tree (version 2), or one tree per resource (version 1), or some of each: every resource is looked up
//! on its own. What groups further up allow is not seen from a container, so it is not asked for.

use std::path::Path;

use crate::limit::Limit;
use crate::mounts::{Mount, directory_of_group};
use crate::seen::{self, Seen, Unseen};

/// Where [`parse`]'s text comes from.
pub(crate) const CGROUP: &str = "proc/self/cgroup";

/// A line of `/proc/self/cgroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// What this tree controls; empty for version 2.
    pub(crate) controllers: Vec<String>,
    /// Place in the tree, as far as the cgroup namespace lets it be seen.
    pub(crate) path: String,
}

/// What the control groups of this process allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes.
    pub(crate) memory: Seen<Limit>,
    /// Thousandths of one processor's time.
    pub(crate) milli_cpus: Seen<Limit>,
    /// Processes and threads.
    pub(crate) processes: Seen<Limit>,
}

/// Parses the text of `/proc/self/cgroup`.
pub(crate) fn parse(text: &str) -> Seen<Vec<Group>> {
    let group = |line: &str| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let controllers = controllers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Some(Group { controllers, path: path.to_owned() })
    };
    text.lines().map(|line| group(line).ok_or_else(|| Unseen::strange("/proc/self/cgroup"))).collect()
}

/// Reads what `groups` allow from where `mounts` says that they are shown.
pub(crate) fn limits(root: &Path, groups: &[Group], mounts: &[Mount]) -> Limits {
    let tree = Tree { root, groups, mounts };
    Limits {
        memory: tree.read("memory", &["memory.limit_in_bytes"], "memory.max", |words| bytes(words.first()?)),
        milli_cpus: tree.read("cpu", &["cpu.cfs_quota_us", "cpu.cfs_period_us"], "cpu.max", quota),
        processes: tree.read("pids", &["pids.max"], "pids.max", |words| Limit::parse(words.first()?, MAX)),
    }
}

/// Version 2's word for no limit, and version 1's where it counts processes.
const MAX: &str = "max";

struct Tree<'a> {
    root: &'a Path,
    groups: &'a [Group],
    mounts: &'a [Mount],
}

impl Tree<'_> {
    /// The words in the files of `controller`: those of version 1, where a tree of its own is mounted for it, else that
    /// of version 2.
    fn read(
        &self,
        controller: &str,
        version_1: &[&str],
        version_2: &str,
        parse: impl Fn(&[&str]) -> Option<Limit>,
    ) -> Seen<Limit> {
        let own_tree = |mount: &&Mount| mount.kind == "cgroup" && mount.options.split(',').any(|o| o == controller);
        let own_group = |group: &&Group| group.controllers.iter().any(|name| name == controller);
        let (mount, group, files) = match self.mounts.iter().find(own_tree) {
            Some(mount) => (Some(mount), self.groups.iter().find(own_group), version_1),
            None => (
                self.mounts.iter().find(|mount| mount.kind == "cgroup2"),
                self.groups.iter().find(|group| group.controllers.is_empty()),
                &[version_2][..],
            ),
        };
        let (Some(mount), Some(group)) = (mount, group) else {
            return Err(Unseen::new("/sys/fs/cgroup", format_args!("shows no control group for {controller}")));
        };
        let directory = directory_of_group(Path::new(""), mount, &group.path);
        let directory = directory.to_string_lossy();
        let directory = directory.trim_end_matches('/');
        let mut text = String::new();
        for file in files {
            text += &seen::read(self.root, &format!("{directory}/{file}"))?;
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        parse(&words).ok_or_else(|| Unseen::strange(&format!("/{directory}/{}", files[0])))
    }
}

/// Version 1 has no word for unlimited memory: it is the largest number of whole pages.
fn bytes(word: &str) -> Option<Limit> {
    const NO_LIMIT: u64 = 1 << 62;
    match Limit::parse(word, MAX)? {
        Limit::Of(bytes) if bytes < NO_LIMIT => Some(Limit::Of(bytes)),
        _ => Some(Limit::None),
    }
}

/// Microseconds of a processor in each period of so many microseconds, as thousandths of a processor.
fn quota(words: &[&str]) -> Option<Limit> {
    /// Version 1's number for no limit.
    const NO_QUOTA: &str = "-1";
    let [quota, period] = words else { return None };
    let period: u64 = period.parse().ok().filter(|period| *period > 0)?;
    match Limit::parse(quota, if *quota == NO_QUOTA { NO_QUOTA } else { MAX })? {
        Limit::Of(quota) => Some(Limit::Of(quota.saturating_mul(1000) / period)),
        Limit::None => Some(Limit::None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, Limit, Limits, bytes, limits, parse, quota};
    use crate::fixture::Container;
    use crate::mounts;

    #[test]
    fn groups() {
        let check = |text: &str, want: &[(&[&str], &str)]| {
            let want: Vec<Group> = want
                .iter()
                .map(|(names, path)| Group {
                    controllers: names.iter().map(ToString::to_string).collect(),
                    path: (*path).to_owned(),
                })
                .collect();
            assert_eq!(parse(text), Ok(want), "{text:?}");
        };
        check("0::/\n", &[(&[], "/")]);
        check("4:cpu,cpuacct:/a:b\n1:name=systemd:/x\n", &[(&["cpu", "cpuacct"], "/a:b"), (&["name=systemd"], "/x")]);
        check("", &[]);
        assert!(parse("0:/").is_err());
    }

    #[test]
    fn numbers() {
        assert_eq!(bytes("67108864"), Some(Limit::Of(67_108_864)));
        assert_eq!(bytes("9223372036854771712"), Some(Limit::None));
        assert_eq!(bytes("max"), Some(Limit::None));
        assert_eq!(bytes("-"), None);
        assert_eq!(quota(&["50000", "100000"]), Some(Limit::Of(500)));
        assert_eq!(quota(&["max", "100000"]), Some(Limit::None));
        assert_eq!(quota(&["-1", "100000"]), Some(Limit::None));
        assert_eq!(quota(&["1", "0"]), None);
        assert_eq!(quota(&["1"]), None);
    }

    fn look(container: &Container, groups: &str, mountinfo: &str) -> Limits {
        limits(container.root(), &parse(groups).expect("groups"), &mounts::parse(mountinfo).expect("mounts"))
    }

    #[test]
    fn version_2() {
        let mount = "1 0 0:9 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let container = Container::new(&[
            ("sys/fs/cgroup/memory.max", "67108864\n"),
            ("sys/fs/cgroup/cpu.max", "50000 100000\n"),
            ("sys/fs/cgroup/pids.max", "max\n"),
        ]);
        let want =
            Limits { memory: Ok(Limit::Of(67_108_864)), milli_cpus: Ok(Limit::Of(500)), processes: Ok(Limit::None) };
        assert_eq!(look(&container, "0::/\n", mount), want);
    }

    #[test]
    fn version_1_below_the_hosts_path() {
        let mounts = "1 0 0:9 /phial/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
            2 0 0:8 /phial/x /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
            3 0 0:7 / /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw\n";
        let container = Container::new(&[
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
        ]);
        let limits = look(&container, "3:memory:/phial/x\n2:cpu,cpuacct:/phial/x\n0::/\n", mounts);
        assert_eq!((limits.memory, limits.milli_cpus), (Ok(Limit::None), Ok(Limit::Of(1500))));
        let unseen = limits.processes.expect_err("no tree shows processes");
        assert_eq!(unseen.to_string(), "cannot see: /sys/fs/cgroup/unified/pids.max is not there");
    }

    #[test]
    fn nothing_mounted() {
        let unseen = look(&Container::new(&[]), "0::/\n", "").memory.expect_err("nothing is mounted");
        assert_eq!(unseen.to_string(), "cannot see: /sys/fs/cgroup shows no control group for memory");
    }
}
