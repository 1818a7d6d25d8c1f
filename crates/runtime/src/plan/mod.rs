//! From an OCI configuration to ordered steps: a pure function.
//!
//! Nothing here touches the host. A plan can be printed, compared and tested without root; `launch` carries it out.
//! Specification: runtime-spec 1.3, `config.md` and `config-linux.md`.

mod confinement;
mod hooks;
mod labels;
mod landlock;
mod mounts;
mod options;
mod process;
mod ranges;
mod schedule;
mod step;

use std::ffi::CString;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, LinuxNamespaceType, Spec};
use sys::clone::namespace;
use sys::exec::StringArray;
use sys::mount::Propagation;

pub use confinement::Confinement;
pub use landlock::{ANNOTATION as LANDLOCK_ANNOTATION, Handled, Rules};
pub use options::knows as knows_mount_option;
pub use step::{Credentials, Device, Hook, HookPoint, NewMount, Source, Step};

use crate::cgroup;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Rootfs, WindowSize};

/// What the configuration alone does not say.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// What becomes `/`.
    pub rootfs: &'a Rootfs,
    /// A directory of the host for the moment of changing the root; nothing of it is touched.
    pub scratch: &'a Path,
    /// The cgroup hierarchies of the host.
    pub hierarchies: &'a [cgroup::Hierarchy],
    /// Size of the terminal, if there is one.
    pub window: Option<WindowSize>,
    /// Whether a small init of ours is pid 1.
    pub init: bool,
    /// Where the process's streams come from when it has no terminal.
    pub streams: Streams,
    /// How the program's execution waits for somebody's word.
    pub start: StartMode,
    /// Name of the session keyring that is made; None keeps the caller's.
    pub keyring: Option<&'a str>,
}

/// Where a process's stdin, stdout and stderr come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Descriptors that the caller of `launch` gives.
    Given,
    /// The caller's own, and this many descriptors after them.
    Inherited {
        /// Descriptors from 3 on that the program keeps.
        preserved: u32,
    },
}

/// When a container's program is executed.
#[derive(Debug, Clone)]
pub enum StartMode {
    /// As soon as everything is ready.
    AtOnce,
    /// When a byte comes through the fifo at this path (`create`, then `start`).
    Gate(PathBuf),
    /// When the caller of `launch` says so, once it has noted what it must (`run`).
    Asked,
}

/// How a process comes to be.
#[derive(Debug)]
pub struct Plan {
    /// Namespaces the clone makes.
    pub namespaces: u64,
    /// The unified cgroup hierarchy, whose cgroup the clone puts the child into.
    pub cgroup: Option<usize>,
    /// The processors it is cloned on, as a mask.
    pub processors: Option<Vec<u64>>,
    /// What the child does to itself, in this order.
    pub steps: Vec<Step>,
    /// What it executes in the end.
    pub program: Program,
    /// What it has in common with the container's other processes.
    pub confinement: Confinement,
    /// Descriptors from 3 on that the program keeps.
    pub preserved: u32,
}

/// A program to execute.
#[derive(Debug)]
pub struct Program {
    /// Paths to try in order: one, or one per directory of the PATH of its environment.
    pub candidates: Vec<CString>,
    /// Its arguments, the first being its name.
    pub arguments: StringArray,
    /// Its environment.
    pub environment: StringArray,
}

impl Plan {
    /// The plan of a container's first process.
    ///
    /// # Errors
    /// `Invalid` or `Unsupported`, naming the field and its value.
    pub fn container(spec: &Spec, context: &Context<'_>) -> Result<Plan> {
        let none = Linux::default();
        let linux = spec.linux().as_ref().unwrap_or(&none);
        refuse_unsupported(linux)?;
        let process = spec.process().as_ref().ok_or_else(|| Error::new(ErrorKind::Invalid, "process: is missing"))?;
        let spaces = Namespaces::of(linux)?;
        let (cgroup, joins) = join_cgroups(context.hierarchies);
        let mut steps = Vec::with_capacity(64);
        if spaces.new & namespace::USER != 0 {
            steps.push(Step::EnterUserNamespace);
        }
        steps.extend(process::oom_score(process)?);
        steps.extend(joins);
        if spaces.cgroup {
            steps.push(Step::UnshareCgroup);
        }
        steps.extend(spaces.joined);
        steps.push(Step::Propagation(Propagation::Private));
        let scratch = c_string(context.scratch.as_os_str().as_encoded_bytes(), "bundle")?;
        steps.push(Step::AttachRoot { source: Source::Rootfs(context.rootfs.clone()), at: scratch });
        if spaces.new & namespace::NETWORK != 0 {
            steps.push(Step::Loopback);
        }
        steps.extend(names(spec, spaces.new)?);
        mounts::add(spec, linux, context.hierarchies, &mut steps)?;
        let first = process::First {
            init: context.init,
            window: context.window,
            console_device: true,
            streams: context.streams,
            keyring: context.keyring,
            start: context.start.clone(),
            hooks: hooks::before_program(spec)?,
        };
        let read_only = spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly).unwrap_or(false);
        let confinement = Confinement::of(spec)?;
        // Hooks may still write into the root: they put files of drivers there.
        hooks::before_root(spec, &mut steps)?;
        mounts::finish(linux, read_only, process, &mut steps)?;
        steps.push(Step::PivotRoot);
        mounts::propagate_root(linux, &mut steps)?;
        labels::of_mounts(linux, &mut steps)?;
        let program = process::add(process, first, &confinement, &mut steps)?;
        let (namespaces, preserved) = (spaces.new, context.streams.preserved());
        // Where further processes run is asked for in `execCPUAffinity`; the first one runs where its cgroup says.
        Ok(Plan { namespaces, cgroup, processors: None, steps, program, confinement, preserved })
    }

    /// The plan of a further process in a running container. It enters the container's namespaces by itself.
    ///
    /// # Errors
    /// As of [`Plan::container`].
    pub fn exec(
        process: &oci_spec::runtime::Process,
        hierarchies: &[cgroup::Hierarchy],
        window: Option<WindowSize>,
        confinement: Confinement,
        streams: Streams,
    ) -> Result<Plan> {
        let (cgroup, joins) = join_cgroups(hierarchies);
        let (processors, affinity) = schedule::affinity(process.exec_cpu_affinity().as_ref())?;
        let mut steps: Vec<Step> = process::oom_score(process)?.into_iter().chain(joins).chain(affinity).collect();
        let first = process::First {
            init: false,
            window,
            console_device: false,
            streams,
            keyring: None,
            start: StartMode::AtOnce,
            hooks: None,
        };
        let program = process::add(process, first, &confinement, &mut steps)?;
        let preserved = streams.preserved();
        Ok(Plan { namespaces: 0, cgroup, processors, steps, program, confinement, preserved })
    }
}

impl Streams {
    fn preserved(self) -> u32 {
        match self {
            Streams::Given => 0,
            Streams::Inherited { preserved } => preserved,
        }
    }
}

/// The clone can be into a v2 cgroup; v1 cgroups are joined by the child.
fn join_cgroups(hierarchies: &[cgroup::Hierarchy]) -> (Option<usize>, Vec<Step>) {
    let join = |(number, hierarchy): (usize, &cgroup::Hierarchy)| Step::JoinCgroup {
        hierarchy: hierarchy.name.clone(),
        source: Source::CgroupMembers(number),
    };
    let unified = hierarchies.iter().position(|hierarchy| hierarchy.unified);
    let separate = hierarchies.iter().enumerate().filter(|(_, hierarchy)| !hierarchy.unified);
    (unified, separate.map(join).collect())
}

fn names(spec: &Spec, new: u64) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (field, name) in [("hostname", spec.hostname()), ("domainname", spec.domainname())] {
        let Some(name) = name else { continue };
        if new & namespace::UTS == 0 {
            let message = format!("{field} {name:?}: needs a uts namespace of the container's own");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        // `sethostname(2)`: EINVAL beyond.
        if name.len() > 64 {
            let message = format!("{field} {name:?}: has {} bytes; the kernel takes 64", name.len());
            return Err(Error::new(ErrorKind::Invalid, message).with_hint("give a shorter one"));
        }
        let value = c_string(name.as_bytes(), field)?;
        steps.push(if field == "hostname" { Step::Hostname(value) } else { Step::Domainname(value) });
    }
    Ok(steps)
}

/// Namespaces of a configuration.
struct Namespaces {
    /// Made by the clone.
    new: u64,
    /// The cgroup namespace is made after the cgroup is joined.
    cgroup: bool,
    joined: Vec<Step>,
}

impl Namespaces {
    fn of(linux: &Linux) -> Result<Namespaces> {
        let mut spaces = Namespaces { new: 0, cgroup: false, joined: Vec::new() };
        for entry in linux.namespaces().iter().flatten() {
            let (kind, flag) = match entry.typ() {
                LinuxNamespaceType::Mount => ("mount", namespace::MOUNT),
                LinuxNamespaceType::Uts => ("uts", namespace::UTS),
                LinuxNamespaceType::Ipc => ("ipc", namespace::IPC),
                LinuxNamespaceType::Pid => ("pid", namespace::PID),
                LinuxNamespaceType::Network => ("network", namespace::NETWORK),
                LinuxNamespaceType::Cgroup => ("cgroup", namespace::CGROUP),
                LinuxNamespaceType::User => ("user", namespace::USER),
                LinuxNamespaceType::Time => return Err(unsupported("linux.namespaces: time")),
            };
            match entry.path() {
                Some(_) if matches!(kind, "mount" | "pid" | "user") => {
                    return Err(unsupported(&format!("linux.namespaces: a path for {kind}")));
                }
                Some(path) => {
                    let path = c_string(path.as_os_str().as_encoded_bytes(), "linux.namespaces.path")?;
                    spaces.joined.push(Step::JoinNamespace { kind, flag, path });
                }
                None if kind == "cgroup" => spaces.cgroup = true,
                None => spaces.new |= flag,
            }
        }
        if spaces.new & namespace::MOUNT == 0 {
            let message =
                "linux.namespaces: a container without a mount namespace of its own would change the host's mounts";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        Ok(spaces)
    }
}

/// Names the first field that this runtime would have to ignore.
fn refuse_unsupported(linux: &Linux) -> Result<()> {
    let fields = [
        ("linux.netDevices", linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty())),
        ("linux.intelRdt", linux.intel_rdt().is_some()),
        ("linux.timeOffsets", linux.time_offsets().as_ref().is_some_and(|offsets| !offsets.is_empty())),
    ];
    match fields.into_iter().find(|(_, present)| *present) {
        Some((field, _)) => Err(unsupported(field)),
        None => Ok(()),
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} is not supported yet"))
}

/// A string for the kernel; `field` names it in the error about a zero byte.
fn c_string(bytes: &[u8], field: &str) -> Result<CString> {
    CString::new(bytes).map_err(|_| Error::new(ErrorKind::Invalid, format!("{field}: has a zero byte")))
}

/// A path in the container: absolute, without `.` and repeated slashes. `..` is left to the kernel, which stops at the
/// container's root.
fn container_path(path: &Path) -> PathBuf {
    Path::new("/").join(path).components().collect()
}

#[cfg(test)]
mod tests;
