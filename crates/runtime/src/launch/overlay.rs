//! The root file system as an overlay of layers.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::failure::DISK_FULL;
use super::source::Resource;
use crate::error::{Error, Result};
use crate::plan::Tree;

pub(super) struct Overlay<'a> {
    pub(super) lower: &'a [PathBuf],
    pub(super) upper: &'a Path,
    pub(super) work: &'a Path,
    pub(super) volatile: bool,
}

impl Overlay<'_> {
    /// The layers of an image as a detached mount. The kernel wants two of them at least where nothing can be written.
    pub(super) fn of_image(tree: &Tree) -> Result<OwnedFd> {
        let failed = |(what, errno): Failed| {
            let error = Error::system(format!("overlay of an image: {what}"), errno);
            match errno {
                Errno::INVAL | Errno::NOSYS => {
                    error.with_hint("an image of several layers is mounted by Linux 6.7 and later")
                }
                _ => error,
            }
        };
        let Tree { lower, upper, .. } = tree;
        if let Some((upper, work)) = upper {
            return Overlay { lower, upper, work, volatile: true }.configure().map_err(failed);
        }
        let configure = |context: BorrowedFd<'_>| {
            lower.iter().try_for_each(|layer| set(context, "lowerdir+", layer))?;
            follow_nothing(context)
        };
        mount(configure, MountAttrFlags::MOUNT_ATTR_RDONLY).map_err(failed)
    }

    /// A detached overlay mount; where the kernel takes its layers only through `mount(2)`, the options for that.
    pub(super) fn mount(&self) -> Result<Resource> {
        match self.configure() {
            Ok(mount) => Ok(Resource::Descriptor(mount)),
            // `lowerdir+` came with Linux 6.7, the calls themselves with 5.2.
            Err((_, Errno::INVAL | Errno::NOSYS)) => self.options(),
            Err((what, errno)) => {
                let error = Error::system(format!("overlay: {what}"), errno);
                Err(if errno == Errno::NOSPC { error.with_hint(DISK_FULL) } else { error })
            }
        }
    }

    fn configure(&self) -> std::result::Result<OwnedFd, Failed> {
        let configure = |context: BorrowedFd<'_>| {
            for layer in self.lower {
                set(context, "lowerdir+", layer)?;
            }
            set(context, "upperdir", self.upper)?;
            set(context, "workdir", self.work)?;
            follow_nothing(context)?;
            if self.volatile {
                rustix::mount::fsconfig_set_flag(context, "volatile").map_err(failed("volatile"))?;
            }
            Ok(())
        };
        mount(configure, MountAttrFlags::empty())
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
        let text =
            format!("lowerdir={},upperdir={upper},workdir={work},redirect_dir=nofollow{volatile}", lower.join(":"));
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

/// A call that failed, and why.
type Failed = (String, Errno);

fn failed(what: &str) -> impl Fn(Errno) -> Failed {
    move |errno| (what.to_owned(), errno)
}

fn set(context: BorrowedFd<'_>, key: &str, value: &Path) -> std::result::Result<(), Failed> {
    rustix::mount::fsconfig_set_string(context, key, value)
        .map_err(|errno| (format!("{key}={}", value.display()), errno))
}

/// A directory that is renamed is copied, as an upper directory must be that becomes a layer: many kernels would note
/// its old name in an attribute instead, and with that also the bare attributes of files that were changed.
fn follow_nothing(context: BorrowedFd<'_>) -> std::result::Result<(), Failed> {
    rustix::mount::fsconfig_set_string(context, "redirect_dir", "nofollow").map_err(failed("redirect_dir=nofollow"))
}

/// A detached overlay of what `configure` says.
fn mount(
    configure: impl FnOnce(BorrowedFd<'_>) -> std::result::Result<(), Failed>,
    attributes: MountAttrFlags,
) -> std::result::Result<OwnedFd, Failed> {
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("fsopen"))?;
    set(context.as_fd(), "source", Path::new("overlay"))?;
    configure(context.as_fd())?;
    rustix::mount::fsconfig_create(context.as_fd()).map_err(failed("create"))?;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(failed("fsmount"))
}
