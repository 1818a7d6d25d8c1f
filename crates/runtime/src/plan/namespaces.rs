//! Namespaces: made by the clone, made later, or entered; in the order that privileges ask for.
//!
//! A new user namespace is made by the clone together with everything that it is to own; what is entered is entered by the
//! parent before, because afterwards nobody would have the privilege. A user namespace that exists is entered first of all,
//! by the child, and everything new is made after it, so that it owns that too: this is how a pod's containers share one.

use std::fmt;
use std::path::Path;

use oci_spec::runtime::{Linux, LinuxNamespaceType};
use sys::clone::namespace;

use super::step::{Joiner, NetDevice, Source, Step};
use crate::error::{Error, ErrorKind, Result};

/// Bits, names in the configuration, and names of their files in `/proc/PID/ns`.
const KINDS: [(u64, &str); 8] = [
    (namespace::USER, "user"),
    (namespace::PID, "pid"),
    (namespace::NETWORK, "network"),
    (namespace::IPC, "ipc"),
    (namespace::UTS, "uts"),
    (namespace::CGROUP, "cgroup"),
    (namespace::TIME, "time"),
    (namespace::MOUNT, "mount"),
];

/// Names of namespaces, each after a space.
pub(super) struct Names(pub(super) u64);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = KINDS.iter().filter(|(bit, _)| self.0 & bit != 0);
        present.into_iter().try_for_each(|(_, name)| write!(f, " {name}"))
    }
}

/// What a configuration says about namespaces.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// New ones.
    pub(super) new: u64,
    /// Entered ones.
    pub(super) joined: u64,
    sources: Vec<(u64, Source)>,
    offsets: String,
    /// Whether the configuration has maps that a user namespace must have.
    maps: bool,
}

impl Namespaces {
    /// Reads them.
    pub(super) fn of(linux: &Linux) -> Result<Namespaces> {
        let mut spaces = Namespaces::default();
        for entry in linux.namespaces().iter().flatten() {
            let flag = flag(entry.typ());
            let kind = name(flag);
            if (spaces.new | spaces.joined) & flag != 0 {
                return Err(invalid(format!("linux.namespaces: {kind} is there twice")));
            }
            match entry.path().as_deref().filter(|path| *path != Path::new("")) {
                None => spaces.new |= flag,
                Some(path) => {
                    spaces.joined |= flag;
                    spaces.sources.push((flag, Source::Namespace { kind, flag, path: path.to_owned() }));
                }
            }
        }
        if !spaces.own(namespace::MOUNT) && spaces.own(namespace::USER) {
            return Err(invalid(
                "linux.namespaces: in a user namespace nothing can be mounted without a mount namespace: add both"
                    .to_owned(),
            ));
        }
        let given = |maps: &Option<Vec<_>>| maps.as_ref().is_some_and(|maps| !maps.is_empty());
        spaces.maps = given(linux.uid_mappings()) || given(linux.gid_mappings());
        if spaces.maps && !spaces.own(namespace::USER) {
            return Err(invalid("linux.uidMappings: ids are mapped in a user namespace, and there is none".to_owned()));
        }
        spaces.offsets = offsets(linux, spaces.new)?;
        Ok(spaces)
    }

    /// Whether the container has one that is not the caller's.
    pub(super) fn own(&self, flag: u64) -> bool {
        (self.new | self.joined) & flag != 0
    }

    /// What the clone makes.
    pub(super) fn at_clone(&self) -> u64 {
        if self.joined & namespace::USER != 0 { 0 } else { self.new & !(namespace::CGROUP | namespace::TIME) }
    }

    /// The steps; `cgroups` come where the host's files of them can still be used, and before a cgroup namespace.
    pub(super) fn add(mut self, cgroups: Vec<Step>, steps: &mut Vec<Step>) {
        let user = namespace::USER;
        let joins_user = self.joined & user != 0;
        if self.new & user != 0 {
            steps.push(Step::EnterUserNamespace);
        }
        steps.extend(cgroups);
        // As KINDS has them: the user namespace first, because it gives the privilege for the rest; mounts last, because
        // then the host's files are out of sight.
        let place = |flag: u64| KINDS.iter().position(|(bit, _)| *bit == flag);
        self.sources.sort_by_key(|(flag, _)| place(*flag));
        let mut mounts = None;
        for (flag, source) in self.sources {
            let by_child = joins_user || flag & (namespace::CGROUP | namespace::MOUNT) != 0;
            let by = if by_child { Joiner::Child } else { Joiner::Parent };
            let join = Step::JoinNamespace { source, flag, by };
            if flag == namespace::MOUNT {
                mounts = Some(join);
                continue;
            }
            steps.push(join);
            if flag == user {
                if self.maps {
                    steps.push(Step::VerifyMaps);
                }
                steps.push(Step::EnterUserNamespace);
            }
        }
        let later = self.new & !(namespace::CGROUP | namespace::TIME);
        let reborn = (self.new | self.joined) & namespace::PID != 0;
        if joins_user && (later != 0 || reborn) {
            steps.push(Step::NewNamespaces { flags: later, reborn });
        }
        if self.new & namespace::CGROUP != 0 {
            steps.push(Step::UnshareCgroup);
        }
        if self.new & namespace::TIME != 0 {
            steps.push(Step::TimeNamespace { offsets: self.offsets });
        }
        steps.extend(mounts);
    }
}

/// `linux.timeOffsets` as the kernel reads them.
fn offsets(linux: &Linux, new: u64) -> Result<String> {
    const SECOND: u32 = 1_000_000_000;
    let Some(offsets) = linux.time_offsets().as_ref().filter(|offsets| !offsets.is_empty()) else {
        return Ok(String::new());
    };
    if new & namespace::TIME == 0 {
        return Err(invalid("linux.timeOffsets: needs a new time namespace in linux.namespaces".to_owned()));
    }
    let mut lines: Vec<String> = Vec::new();
    for (clock, offset) in offsets {
        if !matches!(clock.as_str(), "monotonic" | "boottime") {
            return Err(invalid(format!("linux.timeOffsets {clock:?}: is neither monotonic nor boottime")));
        }
        let nanoseconds = offset.nanosecs().unwrap_or(0);
        if nanoseconds >= SECOND {
            let message = format!("linux.timeOffsets {clock}: nanosecs {nanoseconds} is a second or more");
            return Err(invalid(message));
        }
        lines.push(format!("{clock} {} {nanoseconds}\n", offset.secs().unwrap_or(0)));
    }
    lines.sort();
    Ok(lines.concat())
}

/// `linux.netDevices` as a step.
pub(super) fn net_devices(linux: &Linux, spaces: &Namespaces) -> Result<Option<Step>> {
    let Some(devices) = linux.net_devices().as_ref().filter(|devices| !devices.is_empty()) else { return Ok(None) };
    if !spaces.own(namespace::NETWORK) {
        let message =
            "linux.netDevices: needs a network namespace in linux.namespaces: it would take them from the host";
        return Err(invalid(message.to_owned()));
    }
    let mut list = Vec::with_capacity(devices.len());
    for (name, device) in devices {
        let new_name = device.name().as_deref().filter(|name| !name.is_empty()).unwrap_or(name);
        for name in [name, new_name] {
            check_device(name)?;
        }
        if list.iter().any(|other: &NetDevice| other.new_name == *new_name) {
            return Err(invalid(format!("linux.netDevices: two are to be called {new_name:?}")));
        }
        list.push(NetDevice { name: name.clone(), new_name: new_name.to_owned() });
    }
    list.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Some(Step::NetDevices(list)))
}

/// What the kernel takes for a name (`dev_valid_name`).
fn check_device(name: &str) -> Result<()> {
    const LONGEST: usize = 15;
    let bad = name.is_empty()
        || name.len() > LONGEST
        || matches!(name, "." | "..")
        || name.bytes().any(|byte| byte == b'/' || byte == b':' || byte.is_ascii_whitespace() || byte == 0);
    if !bad {
        return Ok(());
    }
    Err(invalid(format!(
        "linux.netDevices {name:?}: is no name of a network device (up to {LONGEST} bytes, no / : or space)"
    )))
}

fn flag(kind: LinuxNamespaceType) -> u64 {
    match kind {
        LinuxNamespaceType::Mount => namespace::MOUNT,
        LinuxNamespaceType::Uts => namespace::UTS,
        LinuxNamespaceType::Ipc => namespace::IPC,
        LinuxNamespaceType::Pid => namespace::PID,
        LinuxNamespaceType::Network => namespace::NETWORK,
        LinuxNamespaceType::Cgroup => namespace::CGROUP,
        LinuxNamespaceType::User => namespace::USER,
        LinuxNamespaceType::Time => namespace::TIME,
    }
}

/// The name of one kind, as the configuration has it.
pub(crate) fn name(flag: u64) -> &'static str {
    KINDS.iter().find(|(bit, _)| *bit == flag).map_or("unknown", |(_, name)| name)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
