//! Overlays that are mounted for a look. Owns the calls; where they are mounted and for how long is up to the callers.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags,
};

use crate::error::{Context, Error, ErrorKind, Result};

/// A tree of layers, the topmost first, as a mount that is nowhere: it is gone with its descriptor. With an upper and a work
/// directory it can be written to. Without any layer it is the upper directory itself.
///
/// # Errors
/// `System`; `Image` when there is nothing to mount.
pub fn mounted_tree(layers: &[PathBuf], upper: Option<(&Path, &Path)>) -> Result<OwnedFd> {
    if layers.is_empty() {
        let (upper, _) = upper.ok_or_else(|| Error::new(ErrorKind::Image, "a tree without layers"))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        return rustix::fs::open(upper, flags, Mode::empty()).context(|| upper.display());
    }
    let overlay = Overlay { lower: layers, upper };
    let mount = match overlay.detached() {
        Err(Errno::INVAL | Errno::NOSYS) => overlay.detached_by_namespace()?,
        other => other.context(|| format!("mounting {} layers", layers.len()))?,
    };
    // What stands for a mount cannot be listed.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(&mount, ".", flags, Mode::empty()).context(|| "opening what was mounted")
}

/// Layers, and what may be written over them.
pub(super) struct Overlay<'a> {
    /// The topmost first.
    pub(super) lower: &'a [PathBuf],
    /// Upper and work directory; None for one that is only read.
    pub(super) upper: Option<(&'a Path, &'a Path)>,
}

impl Overlay<'_> {
    /// Mounts it on the directory `at`.
    pub(super) fn mount(&self, at: &Path) -> Result<()> {
        match self.detached() {
            Ok(mount) => move_to(&mount, at).context(|| format!("mounting on {}", at.display())),
            // `lowerdir+` came with Linux 6.7, the calls themselves with 5.2.
            Err(Errno::INVAL | Errno::NOSYS) => self.classic(at),
            Err(errno) => Err(Error::system("mounting the layers", errno)),
        }
    }

    /// The mount, not yet anywhere. `EINVAL` on kernels whose overlayfs takes no list of layers this way.
    pub(super) fn detached(&self) -> rustix::io::Result<OwnedFd> {
        // One layer is a directory, and an overlay of one is refused by the kernel.
        if let ([only], None) = (self.lower, self.upper) {
            return read_only(only);
        }
        let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        let set = |key: &str, value: &Path| rustix::mount::fsconfig_set_string(context.as_fd(), key, value);
        set("source", Path::new("overlay"))?;
        for layer in self.lower {
            set("lowerdir+", layer)?;
        }
        if let Some((upper, work)) = self.upper {
            set("upperdir", upper)?;
            set("workdir", work)?;
            // What is written here becomes a layer, which others read without this one's help.
            set("redirect_dir", Path::new("nofollow"))?;
        }
        rustix::mount::fsconfig_create(context.as_fd())?;
        rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, self.attributes())
    }

    /// Before Linux 6.7 only `mount(2)` takes many layers, and that wants a place: one in a namespace that ends with the
    /// thread, of which a copy of the mount is all that stays.
    fn detached_by_namespace(&self) -> Result<OwnedFd> {
        let place = tempfile::TempDir::new().context(|| "a directory to mount on")?;
        let work = || {
            own_namespace()?;
            self.classic(place.path())?;
            let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            rustix::mount::open_tree(CWD, place.path(), flags).context(|| "copying the mount of the layers")
        };
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("mount".into()).spawn_scoped(scope, work);
            let thread = thread.context(|| "starting a thread")?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn attributes(&self) -> MountAttrFlags {
        if self.upper.is_some() { MountAttrFlags::empty() } else { MountAttrFlags::MOUNT_ATTR_RDONLY }
    }

    /// Options of `mount(2)` must fit a page, so layers are named through `/proc/self/fd`.
    fn classic(&self, at: &Path) -> Result<()> {
        let open = |path: &Path| {
            rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty())
                .context(|| path.display())
        };
        let name = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
        let lower = self.lower.iter().map(|path| open(path)).collect::<Result<Vec<_>>>()?;
        let names: Vec<String> = lower.iter().map(name).collect();
        let mut options = format!("lowerdir={}", names.join(":"));
        let own = self.upper.map(|(upper, work)| Ok::<_, Error>((open(upper)?, open(work)?))).transpose()?;
        if let Some((upper, work)) = &own {
            options = format!("{options},upperdir={},workdir={}", name(upper), name(work));
        }
        let flags = if own.is_some() { MountFlags::empty() } else { MountFlags::RDONLY };
        let options = CString::new(options).expect("made of numbers and fixed words");
        rustix::mount::mount("overlay", at, "overlay", flags, options.as_c_str())
            .context(|| format!("mounting {} layers on {}", self.lower.len(), at.display()))
    }
}

/// Gives the thread mounts of its own, which nobody else sees.
pub(super) fn own_namespace() -> Result<()> {
    sys::clone::unshare(sys::clone::namespace::MOUNT).context(|| "making a namespace of mounts")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).context(|| "making mounts private")
}

/// The directory `layer` as a mount that cannot be written.
fn read_only(layer: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = rustix::mount::open_tree(CWD, layer, flags)?;
    let change = sys::mount::Change { set: MountAttrFlags::MOUNT_ATTR_RDONLY, ..sys::mount::Change::NONE };
    sys::mount::set_attributes(mount.as_fd(), c"", &change)?;
    Ok(mount)
}

/// Attaches a detached mount to the directory `at`.
pub(super) fn move_to(mount: &OwnedFd, at: &Path) -> rustix::io::Result<()> {
    rustix::mount::move_mount(mount, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Mounts an image's layers, the topmost first, on the directory `at`, to be read.
///
/// # Errors
/// `System`.
pub(crate) fn mount_image(layers: &[PathBuf], at: &Path) -> Result<()> {
    if layers.is_empty() {
        return Err(Error::new(ErrorKind::Image, "the image has no layers"));
    }
    Overlay { lower: layers, upper: None }.mount(at)
}

/// Takes away what is mounted on `at`; whoever still looks at it keeps it until he is done.
///
/// # Errors
/// `System`.
pub(crate) fn unmount(at: &Path) -> Result<()> {
    rustix::mount::unmount(at, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
        .context(|| format!("unmounting {}", at.display()))
}
