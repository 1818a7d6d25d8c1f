//! Opening what steps need from the host, before the clone, where an error can still name everything.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};
use sys::mount::{Change, Propagation};

use crate::cgroup::Cgroups;
use crate::error::{Error, Result};
use crate::plan::Source;
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
}

/// Opens one source.
pub(super) fn open(source: &Source, cgroups: &Cgroups) -> Result<Resource> {
    match source {
        Source::Rootfs(Rootfs::Directory(path)) => spread(path, true, Propagation::Private).map(Resource::Descriptor),
        Source::Rootfs(Rootfs::Overlay { lower, upper, work, volatile }) => {
            Overlay { lower, upper, work, volatile: *volatile }.mount()
        }
        Source::Bind { path, recursive, change } => bind(path, *recursive, change).map(Resource::Descriptor),
        Source::CgroupTree(hierarchy) => cgroup_tree(cgroups, *hierarchy).map(Resource::Descriptor),
        Source::CgroupMembers(hierarchy) => cgroups.members(*hierarchy).map(Resource::Descriptor),
        Source::StartGate(path) => gate(path).map(Resource::Descriptor),
        Source::HookState(_) => memory().map(Resource::Descriptor),
        Source::LandlockRuleset(handled) => super::kernel::ruleset(*handled),
    }
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

fn tree(path: &Path, recursive: bool) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(CWD, path, flags).map_err(|errno| {
        let error = Error::system(format!("mount source {}", path.display()), errno);
        match errno {
            Errno::NOENT => error.with_hint("the path must exist on this host"),
            Errno::INVAL => {
                error.with_hint("it lies on a mount that may not be bound (unbindable, or of another namespace)")
            }
            _ => error,
        }
    })
}

/// A copy with this propagation, everywhere. What is shared with the host could not become the root (`pivot_root(2)`,
/// `EINVAL`).
fn spread(path: &Path, recursive: bool, propagation: Propagation) -> Result<OwnedFd> {
    let tree = tree(path, recursive)?;
    let none = MountAttrFlags::empty();
    let change = Change { set: none, clear: none, propagation: Some(propagation), recursive: true };
    sys::mount::set_attributes(tree.as_fd(), c"", &change).map_err(|errno| options_failed(path, errno))?;
    Ok(tree)
}

fn options_failed(path: &Path, errno: Errno) -> Error {
    Error::system(format!("mount options of {}", path.display()), errno)
}

fn bind(path: &Path, recursive: bool, change: &Change) -> Result<OwnedFd> {
    // Private unless asked otherwise: a mount made in the container must not appear on the host.
    let tree = spread(path, recursive, change.propagation.unwrap_or(Propagation::Private))?;
    if !change.set.is_empty() || !change.clear.is_empty() {
        let own = Change { propagation: None, recursive: false, ..*change };
        sys::mount::set_attributes(tree.as_fd(), c"", &own).map_err(|errno| options_failed(path, errno))?;
    }
    Ok(tree)
}

fn cgroup_tree(cgroups: &Cgroups, hierarchy: usize) -> Result<OwnedFd> {
    let path = cgroups.paths().nth(hierarchy).unwrap_or(Path::new("/"));
    let change = Change {
        set: MountAttrFlags::MOUNT_ATTR_RDONLY
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC,
        clear: MountAttrFlags::empty(),
        propagation: None,
        recursive: false,
    };
    bind(path, false, &change)
}

struct Overlay<'a> {
    lower: &'a [std::path::PathBuf],
    upper: &'a Path,
    work: &'a Path,
    volatile: bool,
}

impl Overlay<'_> {
    /// A detached overlay mount; where the kernel takes its layers only through `mount(2)`, the options for that.
    fn mount(&self) -> Result<Resource> {
        match self.configure() {
            Ok(mount) => Ok(Resource::Descriptor(mount)),
            // `lowerdir+` came with Linux 6.7.
            Err((_, Errno::INVAL)) => self.options(),
            Err((what, errno)) => Err(Error::system(format!("overlay: {what}"), errno)),
        }
    }

    fn configure(&self) -> std::result::Result<OwnedFd, (String, Errno)> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |errno| (what, errno)
        };
        let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("fsopen"))?;
        let set = |key: &str, value: &Path| {
            rustix::mount::fsconfig_set_string(context.as_fd(), key, value)
                .map_err(failed(&format!("{key}={}", value.display())))
        };
        set("source", Path::new("overlay"))?;
        for layer in self.lower {
            set("lowerdir+", layer)?;
        }
        set("upperdir", self.upper)?;
        set("workdir", self.work)?;
        if self.volatile {
            rustix::mount::fsconfig_set_flag(context.as_fd(), "volatile").map_err(failed("volatile"))?;
        }
        rustix::mount::fsconfig_create(context.as_fd()).map_err(failed("create"))?;
        let attributes = MountAttrFlags::empty();
        rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(failed("fsmount"))
    }

    /// Options of `mount(2)` must fit a page, so layers are named through `/proc/self/fd`.
    fn options(&self) -> Result<Resource> {
        const PAGE: usize = 4096;
        let open = |path: &Path| {
            let directory = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())
                .map_err(|errno| Error::system(path.display(), errno))?;
            let path = CString::new(path.as_os_str().as_bytes()).expect("a path that was opened has no zero byte");
            Ok((path, directory))
        };
        let name = |(_, fd): &(CString, OwnedFd)| format!("/proc/self/fd/{}", fd.as_raw_fd());
        let mut directories = self.lower.iter().map(|path| open(path)).collect::<Result<Vec<_>>>()?;
        let lower: Vec<String> = directories.iter().map(name).collect();
        let own = [open(self.upper)?, open(self.work)?];
        let volatile = if self.volatile { ",volatile" } else { "" };
        let [upper, work] = own.each_ref().map(name);
        let text = format!("lowerdir={},upperdir={upper},workdir={work}{volatile}", lower.join(":"));
        if text.len() >= PAGE {
            let message =
                format!("overlay of {} layers: this kernel takes about 200 (6.7 and later take 500)", self.lower.len());
            return Err(Error::new(crate::ErrorKind::Unsupported, message));
        }
        directories.extend(own);
        let options = CString::new(text).expect("made of numbers and fixed words");
        Ok(Resource::Overlay { options, directories })
    }
}
