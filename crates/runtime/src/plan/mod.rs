//! From an OCI configuration to ordered steps: a pure function.
//!
//! Nothing here touches the host. A plan can be printed, compared and tested without root; `launch` carries it out.
//! Specification: runtime-spec 1.3, `config.md` and `config-linux.md`.

mod cgroups;
mod confinement;
mod devices;
mod hooks;
mod id_map_option;
mod labels;
mod landlock;
mod mounted;
mod mounts;
mod namespaces;
mod options;
mod process;
mod ranges;
mod schedule;
mod step;
mod sysctl;

use std::ffi::CString;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, Spec};
use sys::clone::namespace;
use sys::exec::StringArray;
use sys::mount::Propagation;

pub use confinement::Confinement;
pub use landlock::{ANNOTATION as LANDLOCK_ANNOTATION, Handled, Rules};
pub use mounted::{Bind, Classic, Contents, Device, IdMaps, Links, MappedIds, NewMount, SourceLink, Tree};
pub use options::knows as knows_mount_option;
pub use step::{Credentials, Hook, HookPoint, Joiner, NetDevice, Source, Step};

use crate::cgroup;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Rootfs, WindowSize};
use namespaces::Namespaces;
pub(crate) use namespaces::name as namespace_name;
pub use sysctl::namespace_of_sysctl;
pub(crate) use sysctl::needed as namespace_of_parameter;

/// What the configuration alone does not say.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The container's id.
    pub id: &'a str,
    /// What becomes `/`.
    pub rootfs: &'a Rootfs,
    /// A directory of the host for the moment of changing the root; nothing of it is touched.
    pub scratch: &'a Path,
    /// What relative sources of mounts are relative to.
    pub bundle: &'a Path,
    /// Whether the root may be moved over the host's where the kernel cannot exchange them.
    pub may_move_root: bool,
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
    /// Whether the caller of `launch` attaches the container's network meanwhile.
    pub awaits_network: bool,
}

impl<'a> Context<'a> {
    /// What the simplest caller says: no cgroups, no terminal, streams that are given, a program that is executed at once.
    pub fn new(id: &'a str, rootfs: &'a Rootfs, bundle: &'a Path) -> Context<'a> {
        Context {
            id,
            rootfs,
            scratch: bundle,
            bundle,
            may_move_root: false,
            hierarchies: &[],
            window: None,
            init: false,
            streams: Streams::Given,
            start: StartMode::AtOnce,
            keyring: None,
            awaits_network: false,
        }
    }
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
        let process = spec.process().as_ref().ok_or_else(|| Error::new(ErrorKind::Invalid, "process: is missing"))?;
        let spaces = Namespaces::of(linux)?;
        let (cgroup, joins) = join_cgroups(context.hierarchies);
        let mut steps = Vec::with_capacity(64);
        let devices = namespaces::net_devices(linux, &spaces)?;
        let shares_mounts = !spaces.own(namespace::MOUNT);
        let (at_clone, new, scene) = (spaces.at_clone(), spaces.new, mounts::Scene::of(linux, &spaces, context)?);
        let confinement = Confinement::of(spec, context.id)?;
        let on_host = process::oom_score(process)?.into_iter().chain(joins).chain(confinement.shares());
        spaces.add(on_host.collect(), &mut steps);
        if !shares_mounts {
            steps.push(Step::Propagation(Propagation::Private));
        }
        let scratch = c_string(context.scratch.as_os_str().as_encoded_bytes(), "bundle")?;
        steps.push(Step::AttachRoot { source: Source::Rootfs(context.rootfs.clone()), at: scratch });
        if shares_mounts {
            // What is mounted in it stays in it.
            steps.push(mounts::private_root());
        }
        if new & namespace::NETWORK != 0 {
            steps.push(Step::Loopback);
        }
        steps.extend(devices);
        steps.extend(names(spec, scene.own)?);
        mounts::add(spec, linux, &scene, &mut steps)?;
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
        // Hooks may still write into the root: they put files of drivers there.
        hooks::before_root(spec, &mut steps)?;
        mounts::finish(spec, linux, read_only, process, &mut steps)?;
        steps.push(if shares_mounts {
            Step::ChangeRoot
        } else {
            Step::EnterRoot { may_move: context.may_move_root.then_some(Source::HostMounts) }
        });
        mounts::propagate_root(linux, &mut steps)?;
        labels::of_mounts(linux, &mut steps)?;
        if context.awaits_network {
            steps.push(Step::AwaitNetwork);
        }
        // Some belong to interfaces, so those must be there.
        sysctl::add(linux, scene.own, &mut steps)?;
        let program = process::add(process, first, &confinement, &mut steps)?;
        mounts::close_dev(spec, &mut steps)?;
        let (namespaces, preserved) = (at_clone, context.streams.preserved());
        // Where further processes run is asked for in `execCPUAffinity`; the first one runs where its cgroup says.
        Ok(Plan { namespaces, cgroup, processors: None, steps, program, confinement, preserved })
    }

    /// Every namespace that the process has of its own or shares with others than its parent, as `CLONE_NEW*` bits: what a
    /// further process has to enter.
    pub fn all_namespaces(&self) -> u64 {
        let bits = |step: &Step| match step {
            Step::UnshareCgroup => namespace::CGROUP,
            Step::TimeNamespace { .. } => namespace::TIME,
            Step::JoinNamespace { flag, .. } => *flag,
            Step::NewNamespaces { flags, .. } => *flags,
            _ => 0,
        };
        self.steps.iter().map(bits).fold(self.namespaces, |all, bits| all | bits)
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
        let joins = joins.into_iter().chain(confinement.shares());
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

fn names(spec: &Spec, own: u64) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (field, name) in [("hostname", spec.hostname()), ("domainname", spec.domainname())] {
        let Some(name) = name else { continue };
        if own & namespace::UTS == 0 {
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
