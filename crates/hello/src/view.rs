//! Everything that was seen, as data. Reports only word it.

use std::net::IpAddr;
use std::path::Path;

use crate::capabilities::Set;
use crate::cgroups::{self, Group, Limits};
use crate::limit::Limit;
use crate::mounts::{self, Mount};
use crate::namespaces::{self, Kind, Namespace};
use crate::network;
use crate::probes::{self, Probe};
use crate::seen::{self, Seen};
use crate::status::{self, Status};

/// What a process sees of its own isolation.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Its process number, in its own pid namespace.
    pub(crate) pid: u32,
    /// How many processes it can see, itself among them.
    pub(crate) processes: Seen<usize>,
    /// Name of this machine, as it is told.
    pub(crate) hostname: Seen<String>,
    /// Release of the kernel.
    pub(crate) kernel: Seen<String>,
    /// Ids and privileges.
    pub(crate) status: Seen<Status>,
    /// Capabilities that count now.
    pub(crate) effective: Seen<Set>,
    /// Capabilities that it could ever have.
    pub(crate) bounding: Seen<Set>,
    /// Every kind of namespace.
    pub(crate) namespaces: Vec<(Kind, Seen<Namespace>)>,
    /// Mounts that can be seen, in the order they were made.
    pub(crate) mounts: Seen<Vec<Mount>>,
    /// Control groups.
    pub(crate) groups: Seen<Vec<Group>>,
    /// What they allow.
    pub(crate) limits: Seen<Limits>,
    /// How many files may be open at once, and how many after it raises that itself.
    pub(crate) open_files: Seen<(Limit, Limit)>,
    /// Memory of the machine, in bytes.
    pub(crate) machine_memory: Seen<u64>,
    /// Network interfaces.
    pub(crate) interfaces: Seen<Vec<String>>,
    /// Addresses that packets to the outside would carry; none if no route leads out.
    pub(crate) addresses: Vec<IpAddr>,
    /// What it tried.
    pub(crate) probes: Vec<Probe>,
}

impl View {
    /// Looks at everything below `root`, which is `/` but in tests.
    pub(crate) fn of(root: &Path) -> View {
        let status = seen::read(root, status::STATUS).and_then(|text| Status::parse(&text));
        let last = seen::read(root, "proc/sys/kernel/cap_last_cap").ok();
        let set = |bits: fn(&Status) -> u64| match &status {
            Ok(status) => Ok(Set::new(bits(status), last.as_deref())),
            Err(unseen) => Err(unseen.clone()),
        };
        let mounts = seen::read(root, mounts::MOUNTINFO).and_then(|text| mounts::parse(&text));
        let groups = seen::read(root, cgroups::CGROUP).and_then(|text| cgroups::parse(&text));
        let limits = match (&groups, &mounts) {
            (Ok(groups), Ok(mounts)) => Ok(cgroups::limits(root, groups, mounts)),
            (Err(unseen), _) | (_, Err(unseen)) => Err(unseen.clone()),
        };
        View {
            pid: std::process::id(),
            processes: processes(root),
            hostname: line(root, "proc/sys/kernel/hostname")
                .or_else(|unseen| line(root, "etc/hostname").map_err(|_| unseen)),
            kernel: line(root, "proc/sys/kernel/osrelease"),
            effective: set(|status| status.effective),
            bounding: set(|status| status.bounding),
            status,
            namespaces: namespaces::all(root),
            mounts,
            groups,
            limits,
            open_files: seen::read(root, status::LIMITS).and_then(|text| status::open_files(&text)),
            machine_memory: seen::read(root, "proc/meminfo").and_then(|text| memory(&text)),
            interfaces: seen::read(root, network::DEVICES).and_then(|text| network::interfaces(&text)),
            addresses: network::addresses_outward(),
            probes: probes::all(root),
        }
    }

    /// Whether this process has its own namespace of the kind `name`; `None` where it cannot be seen.
    pub(crate) fn owns(&self, name: &str) -> Option<bool> {
        let (_, namespace) = self.namespaces.iter().find(|(kind, _)| kind.name == name)?;
        namespace.as_ref().ok().map(|namespace| namespace.own)
    }

    /// Nothing hides anything from this process: it is no container's.
    pub(crate) fn on_host(&self) -> bool {
        self.namespaces.iter().all(|(_, namespace)| namespace.as_ref().is_ok_and(|namespace| !namespace.own))
    }
}

fn line(root: &Path, path: &str) -> Seen<String> {
    seen::read(root, path).map(|text| text.trim_end().to_owned())
}

/// Processes are the directories of `/proc` whose names are numbers.
fn processes(root: &Path) -> Seen<usize> {
    let names = seen::names(root, "proc")?;
    match names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).count() {
        0 => Err(seen::Unseen::new("/proc", "is empty")),
        count => Ok(count),
    }
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn memory(meminfo: &str) -> Seen<u64> {
    let kibibytes = || meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB");
    let bytes = || kibibytes()?.parse::<u64>().ok()?.checked_mul(1024);
    bytes().ok_or_else(|| seen::Unseen::strange("/proc/meminfo"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{View, memory};

    #[test]
    fn machine_memory() {
        assert_eq!(memory("MemTotal:       24684084 kB\nMemFree: 1 kB\n"), Ok(24_684_084 * 1024));
        assert!(memory("MemFree: 1 kB\n").is_err());
    }

    #[test]
    fn without_proc_every_fact_is_unseen_and_none_is_wrong() {
        let view = View::of(Path::new("/nonexistent"));
        assert!(!view.on_host());
        assert_eq!(view.owns("pid"), None);
        let unseen = view.status.expect_err("there is no status");
        assert_eq!(unseen.to_string(), "cannot see: /proc/self/status is not there");
        assert_eq!(view.processes.expect_err("there is no proc").to_string(), "cannot see: /proc is not there");
    }
}
