//! Opening what steps need from the host, before the clone, where an error can still name everything.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags};
use sys::clone::namespace;

use super::file_system::is_device;
use super::held::Brief;
use super::id_maps::IdMapped;
use super::overlay::Overlay;
use super::spaces::is_own;
use crate::cgroup::Cgroups;
use crate::error::{Error, ErrorKind, Result};
use crate::mountinfo::{self, Mount};
use crate::plan::{Bind, Device, Source, SourceLink, Tree};
use crate::protocol::Rootfs;

/// What a step gets.
#[derive(Debug)]
pub(super) enum Resource {
    /// A descriptor: a detached mount, or a file.
    Descriptor(OwnedFd),
    /// A set of Landlock rules, and the kinds of access that it handles on this kernel.
    Ruleset(OwnedFd, u64),
    /// Options for `mount(2)`, on kernels whose overlayfs takes no list of layers through `fsconfig`.
    Overlay {
        options: CString,
        /// Directories that the options name by number, with their paths.
        directories: Vec<(CString, OwnedFd)>,
    },
    /// A path of the host that the child binds: by `mount(2)` on kernels without detached mounts, and for who is not root.
    Path(CString, Bind),
    /// The content of a symbolic link.
    Link(CString),
    /// Paths of mounts, relative to the root of the host.
    Mounts(Vec<CString>),
}

/// Opens the sources of one plan.
pub(super) struct Opener<'a> {
    cgroups: &'a Cgroups,
    ids: IdMapped,
}

impl<'a> Opener<'a> {
    pub(super) fn new(cgroups: &'a Cgroups) -> Opener<'a> {
        Opener { cgroups, ids: IdMapped::default() }
    }

    /// Opens one source.
    pub(super) fn open(&mut self, source: &Source) -> Result<Resource> {
        match source {
            Source::Rootfs(Rootfs::Directory(path)) => {
                let mut whole = Bind::of(path.clone());
                // What is shared with the host could not become the root (`pivot_root(2)`, `EINVAL`).
                whole.recursive = true;
                self.bind(&whole)
            }
            Source::Rootfs(Rootfs::Overlay { lower, upper, work, volatile }) => {
                Overlay { lower, upper, work, volatile: *volatile }.mount()
            }
            Source::Bind(bind) => self.bind(bind),
            Source::OfNamespace { namespace, path } => of_namespace(namespace, path).map(Resource::Descriptor),
            Source::Tree(tree) => image(tree).map(Resource::Descriptor),
            Source::Device(asked) => self.bind(&device(asked)?),
            Source::CgroupTree { number, attributes } => self.cgroup_tree(*number, *attributes),
            Source::CgroupMembers(hierarchy) => self.cgroups.members(*hierarchy).map(Resource::Descriptor),
            Source::Namespace { kind, flag, path } => open_namespace(kind, *flag, path).map(Resource::Descriptor),
            Source::HostMounts => host_mounts().map(Resource::Mounts),
            Source::StartGate(path) => gate(path).map(Resource::Descriptor),
            Source::HookState(_) => memory().map(Resource::Descriptor),
            Source::Resctrl(wanted) => wanted.join().map(Resource::Descriptor),
            Source::ResctrlMonitor(wanted) => wanted.measure().map(Resource::Descriptor),
            Source::LandlockRuleset(handled) => super::kernel::ruleset(*handled),
        }
    }

    fn bind(&mut self, bind: &Bind) -> Result<Resource> {
        let path = bind.path.as_path();
        if bind.link == SourceLink::Copy
            && let Ok(content) = rustix::fs::readlink(path, Vec::new())
        {
            return Ok(Resource::Link(content));
        }
        let whole = c_path(path)?;
        let below = bind.below.as_deref().map(|below| open_below(path, below)).transpose()?;
        let at = below.as_ref().map_or((CWD, whole.as_c_str()), |below| (below.as_fd(), c""));
        // What cannot be done in one call is done in several, of which one tells what is wrong.
        let (tree, mut changes) = match changed_tree(at, bind) {
            Some(tree) => (tree, [None, Some(&bind.top)]),
            None => match tree(at, bind) {
                Err(Errno::NOSYS) => return classic(bind),
                // Who is not root may not copy mounts of the host's namespace. The child may those of its own, if it is
                // root of a user namespace.
                Err(Errno::PERM) if bind.ids.is_none() && below.is_none() => {
                    return Ok(Resource::Path(whole, bind.clone()));
                }
                other => {
                    let tree = other.map_err(|errno| no_source(path, errno))?;
                    (tree, [Some(&bind.everywhere), Some(&bind.top)])
                }
            },
        };
        if let Some(ids) = &bind.ids {
            self.ids.apply(tree.as_fd(), path, ids)?;
        }
        if bind.top.is_none() {
            changes[1] = None;
        }
        for change in changes.into_iter().flatten() {
            match sys::mount::set_attributes(tree.as_fd(), c"", change) {
                Err(Errno::NOSYS) if bind.ids.is_none() => return classic(bind),
                other => other.map_err(|errno| options_failed(path, errno))?,
            }
        }
        Ok(Resource::Descriptor(tree))
    }

    fn cgroup_tree(&mut self, hierarchy: usize, attributes: MountAttrFlags) -> Result<Resource> {
        let path = self.cgroups.paths().nth(hierarchy).unwrap_or(Path::new("/"));
        let mut bind = Bind::of(path.to_owned());
        bind.everywhere.set = attributes;
        self.bind(&bind)
    }
}

/// On a kernel without the calls for it, by `mount(2)` in the child, as far as that goes.
fn classic(bind: &Bind) -> Result<Resource> {
    let path = bind.path.display();
    let attributes = |change: &sys::mount::Change| !(change.set | change.clear).is_empty();
    if bind.ids.is_some() || bind.below.is_some() || (bind.recursive && attributes(&bind.everywhere)) {
        let message =
            format!("mount options of {path}: recursive attributes, mapped ids and subpath need mount_setattr");
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("{message} (Linux 5.12; this is {})", super::kernel::name()),
        ));
    }
    Ok(Resource::Path(c_path(&bind.path)?, bind.clone()))
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(ErrorKind::Invalid, format!("{}: has a zero byte", path.display())))
}

/// Open for both, so that neither side waits for the other to open it (`fifo(7)`).
fn gate(path: &Path) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
        .map_err(|errno| Error::system(path.display(), errno))
}

fn memory() -> Result<OwnedFd> {
    rustix::fs::memfd_create(c"state", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|errno| Error::system("memfd_create", errno))
}

/// Where something is: a directory, and a path in it.
type At<'a> = (BorrowedFd<'a>, &'a CStr);

/// A copy with everything that is changed everywhere, where the kernel does both at once.
fn changed_tree((directory, path): At<'_>, bind: &Bind) -> Option<OwnedFd> {
    if bind.ids.is_some() || (bind.recursive && !bind.everywhere.recursive) {
        return None;
    }
    sys::mount::open_tree_changed(directory, path, flags(bind), &bind.everywhere).ok()
}

fn tree((directory, path): At<'_>, bind: &Bind) -> rustix::io::Result<OwnedFd> {
    rustix::mount::open_tree(directory, path, flags(bind))
}

/// What lies below a path, which others can write to: a link or `..` in it ends at the path (CVE-2024-21626), and what is
/// opened is what is mounted, whatever takes its name meanwhile.
fn open_below(path: &Path, below: &CStr) -> Result<Brief> {
    let top = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| no_source(path, errno))?;
    resolve_below(top.as_fd(), below, || path.display().to_string())
}

fn resolve_below(top: BorrowedFd<'_>, below: &CStr, shown: impl Fn() -> String) -> Result<Brief> {
    super::resolve::open(top, below, OFlags::PATH).map_err(|errno| {
        let error = Error::system(format!("subpath {} of {}", below.to_string_lossy(), shown()), errno);
        if errno == Errno::NOENT { error.with_hint("a subpath must be there before it is mounted") } else { error }
    })
}

/// The files of an image, or some of them.
fn image(tree: &Tree) -> Result<OwnedFd> {
    let whole = Overlay::of_image(tree)?;
    let Some(below) = tree.below.as_deref() else { return Ok(whole) };
    let found = resolve_below(whole.as_fd(), below, || "the image".to_owned())?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    rustix::mount::open_tree(found.as_fd(), c"", flags).map_err(|errno| {
        let error = Error::system(format!("subpath {} of the image", below.to_string_lossy()), errno);
        if errno == Errno::INVAL {
            error.with_hint("a part of an image is mounted by Linux 6.15 and later")
        } else {
            error
        }
    })
}

fn flags(bind: &Bind) -> OpenTreeFlags {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if bind.recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    if bind.link == SourceLink::Keep {
        flags |= OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    }
    if bind.below.is_some() {
        flags |= OpenTreeFlags::AT_EMPTY_PATH;
    }
    flags
}

fn no_source(path: &Path, errno: Errno) -> Error {
    let error = Error::system(format!("mount source {}", path.display()), errno);
    match errno {
        Errno::PERM => error.with_hint(
            "mounting needs root, or a user namespace together with a mount namespace (CAP_SYS_ADMIN in both)",
        ),
        Errno::NOENT => error.with_hint("the path must exist on this host"),
        Errno::INVAL => {
            error.with_hint("it lies on a mount that may not be bound (unbindable, or of another namespace)")
        }
        _ => error,
    }
}

fn options_failed(path: &Path, errno: Errno) -> Error {
    Error::system(format!("mount options of {}", path.display()), errno)
}

/// A device of the host, which must be the one that its path is to stand for.
fn device(asked: &Device) -> Result<Bind> {
    let path = Path::new(std::ffi::OsStr::from_bytes(asked.path.to_bytes()));
    let found = rustix::fs::stat(path).map_err(|errno| {
        Error::system(format!("device {}", path.display()), errno)
            .with_hint("a user namespace has only devices that the host has at the same path")
    })?;
    if !is_device(&found, asked) {
        let numbers = |number| format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number));
        let message = format!("device {}: is not {} on this host", path.display(), numbers(asked.number));
        return Err(Error::new(ErrorKind::Invalid, message)
            .with_hint("in a user namespace no device can be made, so that of the host is shown"));
    }
    Ok(Bind::of(path.to_owned()))
}

/// A copy of what is mounted at a path in another mount namespace, which is entered for that: this process has one thread.
///
/// Entering one makes its root the process's root and working directory (`setns(2)`), so both are put back as well. A
/// process that cannot come back must not go on: every path of the host would be one of the container's.
fn of_namespace(namespace: &Path, path: &std::ffi::CStr) -> Result<OwnedFd> {
    const OWN: &str = "/proc/self/ns/mnt";
    let open = |path: &Path| {
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| Error::system(path.display(), errno))
    };
    let shown = || format!("{} of another container", path.to_string_lossy());
    let (own, other) = (open(Path::new(OWN))?, open(namespace)?);
    let (root, here) = (open(Path::new("/"))?, open(Path::new("."))?);
    let enter = |namespace: &OwnedFd| {
        let kind = Some(rustix::thread::LinkNameSpaceType::Mount);
        rustix::thread::move_into_link_name_space(namespace.as_fd(), kind)
            .map_err(|errno| Error::system("entering a mount namespace", errno))
    };
    enter(&other)?;
    let tree = tree((CWD, path), &Bind::of(namespace.to_owned()));
    let back = enter(&own).and_then(|()| {
        let to = |directory: &OwnedFd| rustix::process::fchdir(directory);
        to(&root)
            .and_then(|()| rustix::process::chroot("."))
            .and_then(|()| to(&here))
            .map_err(|errno| Error::system("coming back to the own root", errno))
    });
    if back.is_err() {
        std::process::abort();
    }
    tree.map_err(|errno| Error::system(shown(), errno))
}

/// A file of a namespace, which must be of that kind.
fn open_namespace(kind: &str, flag: u64, path: &Path) -> Result<OwnedFd> {
    let shown = path.display();
    let invalid = |why: String| Error::new(ErrorKind::Invalid, format!("linux.namespaces: {kind} {shown}: {why}"));
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| {
        Error::system(format!("linux.namespaces: {kind} {shown}"), errno).with_hint(
            "a namespace is a file such as /proc/PID/ns/net, of a process that still runs, or a mount of one",
        )
    })?;
    let found = match sys::namespace::kind(file.as_fd()) {
        Err(Errno::NOTTY) => return Err(invalid("is no file of a namespace".to_owned())),
        other => other.map_err(|errno| Error::system(path.display(), errno))?,
    };
    if found != flag {
        return Err(invalid(format!("is a {} namespace", crate::plan::namespace_name(found))));
    }
    let why = match flag {
        namespace::MOUNT => "is the one of the host: the container would change its mounts",
        namespace::USER => "is the one of the caller: leave the user namespace out instead",
        _ => return Ok(file),
    };
    if is_own(flag, file.as_fd())? {
        return Err(invalid(why.to_owned()));
    }
    Ok(file)
}

/// What is mounted directly in the root, the last mount first.
fn host_mounts() -> Result<Vec<CString>> {
    let table = mountinfo::read(mountinfo::OWN)?;
    directly_in_root(&table).iter().map(|path| c_path(path)).collect()
}

/// Paths from the root on.
fn directly_in_root(table: &[u8]) -> Vec<PathBuf> {
    let is_root = |mount: &Mount<'_>| mount.point() == Path::new("/");
    let Some(root) = mountinfo::mounts(table).rfind(is_root) else { return Vec::new() };
    let below = mountinfo::mounts(table).rev().filter(|mount| mount.parent == root.number && !is_root(mount));
    below.filter_map(|mount| mount.point().strip_prefix("/").map(Path::to_owned).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_in_the_root_is_found() {
        let text = b"1 0 0:1 / / rw - rootfs none rw\n21 1 0:2 / /proc rw - proc proc rw\n\
            22 1 0:3 / /a\\040b rw - tmpfs none rw\n23 22 0:4 / /a\\040b/c rw - tmpfs none rw\n";
        assert_eq!(directly_in_root(text), [Path::new("a b"), Path::new("proc")]);
    }
}
