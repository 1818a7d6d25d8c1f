//! One thing that a new process does to itself, as plain data.
//!
//! Steps are made before the process exists, so that carrying them out allocates nothing. What a step needs from the
//! host (a mount to attach, a cgroup to join) is named by a [`Source`]; the parent turns each into a descriptor just
//! before the clone.

use std::ffi::CString;
use std::fmt;
use std::path::PathBuf;

use rustix::mount::MountAttrFlags;
use rustix::process::{Gid, Resource, Rlimit};
use sys::mount::{Change, Propagation};

use super::landlock;
use super::mounted::{Bind, Device, Links, NewMount, Tree};
use crate::capability::Sets;
use crate::protocol::Rootfs;
use crate::resctrl::Wanted;

/// Something of the host that a step uses through a descriptor.
#[derive(Debug, Clone)]
pub enum Source {
    /// The root file system, as a detached mount.
    Rootfs(Rootfs),
    /// A copy of a mount of the host, detached, with its attributes already changed.
    Bind(Bind),
    /// What lies at a path in another mount namespace, as a detached mount.
    OfNamespace {
        /// The file of the namespace.
        namespace: PathBuf,
        /// The path there.
        path: CString,
    },
    /// The files of an image, as a detached mount that cannot be written to.
    Tree(Tree),
    /// A device file of the host at this path, which must be this device, as a detached mount.
    Device(Device),
    /// The container's directory in the cgroup hierarchy of this number, as a detached mount.
    CgroupTree {
        /// The hierarchy.
        number: usize,
        /// Attributes of the mount.
        attributes: MountAttrFlags,
    },
    /// A namespace that exists.
    Namespace {
        /// `net`, `ipc`, …
        kind: &'static str,
        /// The `CLONE_NEW*` bit.
        flag: u64,
        /// Its file.
        path: PathBuf,
    },
    /// `tasks` of the container in the cgroup v1 hierarchy of this number.
    CgroupMembers(usize),
    /// What is mounted in the root of the host.
    HostMounts,
    /// A fifo at this path, open for reading and writing, from which the container's start is read.
    StartGate(PathBuf),
    /// A file in memory for the state of the container that hooks read; filled once the container's pid is known.
    HookState(HookPoint),
    /// `tasks` of a group of resctrl, which is made.
    Resctrl(Wanted),
    /// `tasks` of a group in it that measures, which is made as well.
    ResctrlMonitor(Wanted),
    /// A set of Landlock rules, without any yet.
    LandlockRuleset(landlock::Handled),
}

/// Who enters a namespace that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joiner {
    /// The parent, for the moment of the clone: it has the privilege over it that a process in a new user namespace lacks.
    Parent,
    /// The new process itself.
    Child,
}

/// A network device of the host that becomes the container's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetDevice {
    /// Its name on the host.
    pub name: String,
    /// Its name in the container.
    pub new_name: String,
}

impl fmt::Display for NetDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.new_name == self.name { Ok(()) } else { write!(f, " (as {})", self.new_name) }
    }
}

/// When hooks are run (runtime-spec `config.md`, "POSIX-platform Hooks").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookPoint {
    /// On the host, before the root is entered: `prestart` and `createRuntime`.
    CreateRuntime,
    /// In the container's namespaces, before the root is entered.
    CreateContainer,
    /// In the container, just before its program.
    StartContainer,
}

impl HookPoint {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            HookPoint::CreateRuntime => "createRuntime",
            HookPoint::CreateContainer => "createContainer",
            HookPoint::StartContainer => "startContainer",
        }
    }
}

/// A program that is run at a [`HookPoint`] by the container's first process.
#[derive(Debug)]
pub struct Hook {
    /// Absolute path.
    pub path: CString,
    /// Its arguments, the first being its name.
    pub arguments: sys::exec::StringArray,
    /// Its whole environment: nothing is inherited (CVE-2025-23266).
    pub environment: sys::exec::StringArray,
    /// Seconds after which it is killed.
    pub timeout: Option<u32>,
}

/// Ids of the process.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups, the primary one among them.
    pub groups: Vec<Gid>,
    /// Capabilities.
    pub capabilities: Sets,
}

/// The steps, in no particular order; a plan orders them.
#[derive(Debug)]
pub enum Step {
    /// Move into the container's cgroup of one v1 hierarchy.
    JoinCgroup {
        /// The hierarchy's name, for people.
        hierarchy: String,
        /// Its `tasks`.
        source: Source,
    },
    /// Make the cgroup just joined the root of what is seen.
    UnshareCgroup,
    /// Enter a namespace that exists, by its file.
    JoinNamespace {
        /// A [`Source::Namespace`].
        source: Source,
        /// The `CLONE_NEW*` bit.
        flag: u64,
        /// Who enters it.
        by: Joiner,
    },
    /// Make namespaces that the clone could not make. With a pid namespace, or after one was entered, the steps after this
    /// happen in a second process.
    NewNamespaces {
        /// `CLONE_NEW*` bits.
        flags: u64,
        /// Whether a second process is needed.
        reborn: bool,
    },
    /// Make a time namespace, and enter it.
    TimeNamespace {
        /// Lines of `timens_offsets` (`time_namespaces(7)`), if any.
        offsets: String,
    },
    /// Let the parent compare the maps of the user namespace that was entered with those of the configuration.
    VerifyMaps,
    /// Let the parent move network devices of the host into the container's network namespace.
    NetDevices(Vec<NetDevice>),
    /// Cut this mount namespace off from the host's.
    Propagation(Propagation),
    /// Put the root file system into the mount namespace. The steps after it work below it.
    AttachRoot {
        /// The root file system.
        source: Source,
        /// A directory of the host to put it on until it is the root; nothing of it is touched.
        at: CString,
    },
    /// Make the root file system the root, and drop everything of the host.
    EnterRoot {
        /// [`Source::HostMounts`] if the root may be moved over the host's where the kernel cannot exchange them, because the
        /// host's is an initramfs.
        may_move: Option<Source>,
    },
    /// Make the root file system the root of this process alone, because the mounts are the host's (`chroot(2)`).
    ChangeRoot,
    /// Bring the loopback interface up.
    Loopback,
    /// Wait until the parent has attached the network.
    AwaitNetwork,
    /// Set the host name.
    Hostname(CString),
    /// Set the NIS domain name.
    Domainname(CString),
    /// Mount a new file system.
    Mount(NewMount),
    /// Attach a mount that was prepared from the host.
    Attach {
        /// What is attached.
        source: Source,
        /// Where, an absolute path in the container.
        target: CString,
        /// Whether the last component of the target may be a link.
        links: Links,
    },
    /// Change a mount after what lies below it is in place.
    Remount {
        /// Mount point in the container.
        target: CString,
        /// The change.
        change: Change,
    },
    /// Make a device file.
    Device(Device),
    /// Make a symbolic link unless its path exists.
    Link {
        /// What it says.
        content: CString,
        /// Where it is, an absolute path in the container.
        path: CString,
    },
    /// Write a kernel parameter.
    Sysctl {
        /// Path below /proc/sys.
        path: CString,
        /// What is written.
        value: CString,
    },
    /// Hide a file behind /dev/null, or a directory behind an empty one.
    Mask(CString),
    /// Make a path read-only.
    ReadOnly(CString),
    /// Become the leader of a session without a terminal.
    NewSession,
    /// Open a terminal in the container's devpts, take it as stdio and controlling terminal, send the other end home.
    Console {
        /// Rows and columns.
        window: Option<crate::protocol::WindowSize>,
        /// Whether `/dev/console` is to be that terminal.
        device: bool,
    },
    /// Take the given descriptors as stdin, stdout and stderr, owned by the process's user.
    Stdio {
        /// The new owner.
        uid: u32,
    },
    /// Keep stdin, stdout and stderr as they are, owned by the process's user.
    KeepStdio {
        /// The new owner.
        uid: u32,
    },
    /// Get the maps of the new user namespace from the parent, and become its root.
    EnterUserNamespace,
    /// Let the parent run its hooks.
    HostHooks,
    /// Run hooks.
    Hooks {
        /// Where in the container's life this is.
        point: HookPoint,
        /// What they read from stdin.
        state: Source,
        /// In this order.
        hooks: Vec<Hook>,
    },
    /// Have a session keyring of one's own, so that the caller's keys are out of reach.
    SessionKeyring(CString),
    /// Make sure that the program can be executed, while somebody still listens.
    FindProgram,
    /// Tell the parent that everything is ready, and wait for the start.
    AwaitStart(Source),
    /// Tell the parent that everything is ready, and wait for its word.
    AwaitCaller,
    /// Set a resource limit.
    Limit {
        /// Its name, for people.
        name: &'static str,
        /// Which.
        resource: Resource,
        /// Soft and hard value; None is unlimited.
        value: Rlimit,
    },
    /// Make the working directory if it is missing.
    MakeWorkingDirectory(CString),
    /// Change to the working directory.
    WorkingDirectory(CString),
    /// Drop to the user, groups and capabilities of the process.
    Credentials(Credentials),
    /// Rule out gaining privileges by executing files.
    NoNewPrivileges,
    /// Install the filter of system calls.
    Seccomp,
    /// Set the file mode creation mask.
    Umask(u32),
    /// Adjust the likelihood of being killed when memory is short.
    OomScore(CString),
    /// Take one's share of caches and memory bandwidth.
    JoinResctrl(Source),
    /// Set how the process is scheduled.
    Scheduler {
        /// Its policy, for people.
        policy: String,
        /// As the kernel takes it.
        attributes: sys::schedule::Attributes,
    },
    /// Set the priority of input and output.
    IoPriority {
        /// Its class, for people.
        class: String,
        /// Class and level, as the kernel takes them.
        value: u16,
    },
    /// Run on these processors only.
    Affinity {
        /// As they were given.
        list: String,
        /// A bit for each.
        mask: Vec<u64>,
    },
    /// Set where memory comes from.
    MemoryPolicy {
        /// Mode and nodes, for people.
        shown: String,
        /// Mode and flags, as the kernel takes them.
        mode: i32,
        /// A bit for each node.
        nodes: Vec<u64>,
    },
    /// Set the execution domain.
    Personality {
        /// Domain and flags, for people.
        shown: String,
        /// As the kernel takes them.
        value: u32,
    },
    /// Have the program executed under an AppArmor profile.
    AppArmor(CString),
    /// Have the program executed with a label of SELinux.
    SelinuxLabel(CString),
    /// Have keys that are made from now on labelled.
    KeyLabel(CString),
    /// Label a file of the container.
    LabelFile {
        /// The label.
        label: CString,
        /// Absolute path in the container.
        path: CString,
    },
    /// Look up the user's home directory in the container.
    Home {
        /// The user.
        uid: u32,
    },
    /// Allow access to what lies at and below a path.
    LandlockAllow {
        /// Absolute path in the container.
        path: CString,
        /// Kinds of access, as the kernel has them.
        access: u64,
    },
    /// Come under the rules of Landlock.
    Landlock(Source),
    /// Stay as pid 1, pass signals on and reap; the steps after this happen in a child.
    Init,
    /// Become the program.
    Execute,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::JoinCgroup { hierarchy, .. } => write!(f, "join cgroup ({hierarchy})"),
            Step::UnshareCgroup => f.write_str("new cgroup namespace"),
            Step::JoinNamespace { source, .. } => write!(f, "join {source}"),
            Step::NewNamespaces { flags, .. } => write!(f, "new namespaces{}", super::namespaces::Names(*flags)),
            Step::TimeNamespace { offsets } if offsets.is_empty() => f.write_str("new time namespace"),
            Step::TimeNamespace { offsets } => {
                write!(f, "new time namespace with offsets {}", offsets.trim_end().replace('\n', ", "))
            }
            Step::VerifyMaps => f.write_str("compare the maps of the user namespace"),
            Step::NetDevices(devices) => {
                f.write_str("move network devices")?;
                devices.iter().try_for_each(|device| write!(f, " {device}"))
            }
            Step::Propagation(kind) => write!(f, "make every mount {kind:?} (recursively)"),
            Step::AttachRoot { source, .. } => write!(f, "attach root {source}"),
            Step::EnterRoot { may_move: None } => f.write_str("make it the root"),
            Step::EnterRoot { may_move: Some(_) } => {
                f.write_str("make it the root (moved where it cannot be exchanged)")
            }
            Step::ChangeRoot => f.write_str("make it the root of this process, among the host's mounts"),
            Step::Loopback => f.write_str("bring up loopback interface lo"),
            Step::AwaitNetwork => f.write_str("wait for the network"),
            Step::Hostname(name) => write!(f, "set host name {}", text(name)),
            Step::Domainname(name) => write!(f, "set domain name {}", text(name)),
            Step::Mount(mount) => write!(f, "mount {} on {}", text(&mount.file_system), text(&mount.target)),
            Step::Attach { source, target, .. } => write!(f, "mount {source} on {}", text(target)),
            Step::Remount { target, .. } => write!(f, "change mount {}", text(target)),
            Step::Device(device) => write!(f, "make device {}", text(&device.path)),
            Step::Link { content, path } => write!(f, "link {} to {}", text(path), text(content)),
            Step::Sysctl { path, value } => write!(f, "write {} to {}", text(value), text(path)),
            Step::Mask(path) => write!(f, "mask {}", text(path)),
            Step::ReadOnly(path) => write!(f, "make {} read-only", text(path)),
            Step::NewSession => f.write_str("new session"),
            Step::Console { .. } => f.write_str("open terminal"),
            Step::Stdio { uid } => write!(f, "take stdio (owner {uid})"),
            Step::KeepStdio { uid } => write!(f, "keep stdio (owner {uid})"),
            Step::EnterUserNamespace => f.write_str("become root of the new user namespace"),
            Step::HostHooks => f.write_str("run hooks prestart and createRuntime on the host"),
            Step::Hooks { point, hooks, .. } => {
                write!(f, "run hooks {}", point.name())?;
                hooks.iter().try_for_each(|hook| write!(f, " {}", text(&hook.path)))
            }
            Step::SessionKeyring(name) => write!(f, "new session keyring {}", text(name)),
            Step::FindProgram => f.write_str("find program"),
            Step::AwaitStart(_) | Step::AwaitCaller => f.write_str("wait for the start"),
            Step::Limit { name, value, .. } => {
                write!(f, "set limit {name} to {}:{}", limit(value.current), limit(value.maximum))
            }
            Step::MakeWorkingDirectory(path) => write!(f, "make working directory {}", text(path)),
            Step::WorkingDirectory(path) => write!(f, "change to working directory {}", text(path)),
            Step::Credentials(ids) => write!(f, "become user {} group {}", ids.uid, ids.gid),
            Step::NoNewPrivileges => f.write_str("set no_new_privs"),
            Step::Seccomp => f.write_str("install seccomp filter"),
            Step::Umask(mask) => write!(f, "set umask {mask:04o}"),
            Step::OomScore(value) => write!(f, "set oom_score_adj {}", text(value)),
            Step::JoinResctrl(source) => write!(f, "join resctrl group {source}"),
            Step::Scheduler { policy, .. } => write!(f, "set scheduler {policy}"),
            Step::IoPriority { class, value } => write!(f, "set I/O priority {class} {}", value & 7),
            Step::Affinity { list, .. } => write!(f, "run on processors {list}"),
            Step::MemoryPolicy { shown, .. } => write!(f, "set memory policy {shown}"),
            Step::Personality { shown, .. } => write!(f, "set personality {shown}"),
            Step::AppArmor(profile) => write!(f, "use AppArmor profile {}", text(profile)),
            Step::SelinuxLabel(label) => write!(f, "use SELinux label {}", text(label)),
            Step::KeyLabel(label) => write!(f, "label keys {}", text(label)),
            Step::LabelFile { label, path } => write!(f, "label {} {}", text(path), text(label)),
            Step::Home { uid } => write!(f, "find home directory of user {uid}"),
            Step::LandlockAllow { path, .. } => write!(f, "allow access below {} (Landlock)", text(path)),
            Step::Landlock(source) => write!(f, "restrict to {source}"),
            Step::Init => f.write_str("stay as init"),
            Step::Execute => f.write_str("execute program"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Rootfs(Rootfs::Overlay { lower, .. }) => write!(f, "overlay of {} layers", lower.len()),
            Source::Rootfs(Rootfs::Directory(path)) | Source::Bind(Bind { path, .. }) | Source::StartGate(path) => {
                write!(f, "{}", path.display())
            }
            Source::OfNamespace { namespace, path } => write!(f, "{} of {}", text(path), namespace.display()),
            Source::Tree(tree) => write!(f, "image of {} layers", tree.lower.len()),
            Source::Device(device) => write!(f, "device {}", text(&device.path)),
            Source::Namespace { kind, path, .. } => write!(f, "{kind} namespace {}", path.display()),
            Source::CgroupTree { number, .. } | Source::CgroupMembers(number) => write!(f, "cgroup hierarchy {number}"),
            Source::HostMounts => f.write_str("mounts of the host"),
            Source::HookState(_) => f.write_str("state of the container"),
            Source::Resctrl(wanted) => write!(f, "{}", wanted.name()),
            Source::ResctrlMonitor(wanted) => write!(f, "{} (monitor)", wanted.name()),
            Source::LandlockRuleset(_) => f.write_str("Landlock rules"),
        }
    }
}

fn text(string: &CString) -> std::borrow::Cow<'_, str> {
    string.to_string_lossy()
}

fn limit(value: Option<u64>) -> String {
    value.map_or_else(|| "unlimited".to_owned(), |number| number.to_string())
}

impl Step {
    /// Whether files of /proc are written.
    pub fn writes_proc(&self) -> bool {
        matches!(
            self,
            Step::Sysctl { .. } | Step::OomScore(_) | Step::AppArmor(_) | Step::SelinuxLabel(_) | Step::KeyLabel(_)
        )
    }

    /// What the parent must open for this step.
    pub fn source(&self) -> Option<&Source> {
        match self {
            Step::JoinCgroup { source, .. }
            | Step::AttachRoot { source, .. }
            | Step::JoinNamespace { source, .. }
            | Step::Attach { source, .. }
            | Step::Hooks { state: source, .. }
            | Step::Landlock(source)
            | Step::JoinResctrl(source)
            | Step::AwaitStart(source)
            | Step::EnterRoot { may_move: Some(source) } => Some(source),
            _ => None,
        }
    }
}
