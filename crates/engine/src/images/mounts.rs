//! `image mount`: the files of an image, mounted on this host to be looked at. Owns the notes about what is mounted where, below RUN: a
//! directory for each image, with a file that names the place. It is written before the mount is made, so that no mount is
//! without one; a note without its mount means nothing, and goes the next time anybody looks. Who makes or takes away a note or a
//! mount holds the lock of the directory of them all: two at once would mount twice, and the second mount be nobody's.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use store::{Digest, ImageRecord};

use crate::archive::{mount_image, unmount};
use crate::engine::Engine;
use crate::error::{Context, Error, Result};

/// Directory below RUN.
const MOUNTS: &str = "image-mounts";
/// File that names the place.
const PLACE: &str = "place";
/// Directory that is mounted on if nobody names another.
const ROOT: &str = "root";

/// An image that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedImage {
    /// Its id.
    pub id: Digest,
    /// Where.
    pub place: PathBuf,
}

impl Engine {
    /// Mounts the files of an image, to be read, and returns where. One that is mounted stays where it is.
    ///
    /// # Errors
    /// `NotFound` for the image or the directory, `Conflict` for one that is mounted elsewhere, `System`.
    pub fn mount_image(&self, name: &str, place: Option<&Path>) -> Result<PathBuf> {
        // Nobody may collect its layers before the note says that they are needed.
        let _lease = self.store.lease()?;
        let image = self.image(name)?;
        let wanted = place.map(|place| fs::canonicalize(place).context(|| place.display())).transpose()?;
        let directory = self.paths().run().join(MOUNTS);
        fs::create_dir_all(&directory).context(|| directory.display())?;
        let _lock = self.lock_mounts()?;
        // Who removes an image does so with the lock.
        let image = self.image(&image.id.to_string())?;
        if let Some(mounted) = self.mounted(&image.id) {
            return match wanted {
                Some(wanted) if wanted != mounted => {
                    Err(Error::conflict(format!("image {name} is mounted on {}", mounted.display()))
                        .with_hint(format!("phial image unmount {name}")))
                }
                _ => Ok(mounted),
            };
        }
        let directory = self.mount_directory(&image.id);
        let place = wanted.unwrap_or_else(|| directory.join(ROOT));
        if !place.starts_with(&directory) && is_mount(&place) {
            return Err(Error::conflict(format!("something is mounted on {}", place.display())));
        }
        let made = fs::create_dir_all(directory.join(ROOT))
            .and_then(|()| fs::write(directory.join(PLACE), place.as_os_str().as_bytes()));
        made.context(|| directory.display())?;
        sys::fault::point("image mount: noted");
        if let Err(error) = mount_image(&self.layers(&image), &place) {
            self.forget_mount(&image.id);
            return Err(error);
        }
        sys::fault::point("image mount: mounted");
        Ok(place)
    }

    /// Takes away what [`Engine::mount_image`] has mounted.
    ///
    /// # Errors
    /// `NotFound` for an image that is not mounted, `System`.
    pub fn unmount_image(&self, name: &str) -> Result<Digest> {
        let image = self.image(name)?;
        let _lock = self.lock_mounts()?;
        if !self.release(&image.id)? {
            return Err(Error::not_found(format!("image {name} is not mounted")));
        }
        Ok(image.id)
    }

    /// All images that are mounted.
    ///
    /// # Errors
    /// `System`.
    pub fn mounted_images(&self) -> Result<Vec<MountedImage>> {
        let directory = self.paths().run().join(MOUNTS);
        let names = match fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.context(|| directory.display())?,
        };
        let _lock = self.lock_mounts()?;
        let mut found = Vec::new();
        for name in names {
            let name = name.context(|| directory.display())?.file_name();
            let Some(id) = name.to_str().and_then(|name| Digest::from_hex(name).ok()) else { continue };
            match self.mounted(&id) {
                Some(place) => found.push(MountedImage { id, place }),
                None => self.forget_mount(&id),
            }
        }
        found.sort_by_key(|mounted| mounted.id);
        Ok(found)
    }

    /// An image that is about to go must not be mounted; with `force` it is unmounted. Nobody mounts it as long as what this
    /// returns is held.
    pub(crate) fn release_mount(&self, image: &ImageRecord, force: bool) -> Result<Option<OwnedFd>> {
        let lock = self.lock_mounts()?;
        match self.mounted(&image.id) {
            Some(place) if !force => {
                let short = image.id.short();
                Err(Error::conflict(format!("image {short} is mounted on {}", place.display()))
                    .with_hint(format!("phial image unmount {short}")))
            }
            Some(_) => self.release(&image.id).map(|_| lock),
            None => Ok(lock),
        }
    }

    /// Whether an image is mounted on this host.
    pub(crate) fn is_image_mounted(&self, id: &Digest) -> bool {
        self.mounted(id).is_some()
    }

    /// None where nothing was ever mounted.
    fn lock_mounts(&self) -> Result<Option<OwnedFd>> {
        let path = self.paths().run().join(MOUNTS);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = match rustix::fs::open(&path, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            other => other.context(|| path.display())?,
        };
        loop {
            match rustix::fs::flock(&directory, FlockOperation::LockExclusive) {
                Err(Errno::INTR) => {}
                other => return other.context(|| path.display()).map(|()| Some(directory)),
            }
        }
    }

    /// False if it was not mounted.
    fn release(&self, id: &Digest) -> Result<bool> {
        let Some(place) = self.mounted(id) else { return Ok(false) };
        unmount(&place)?;
        sys::fault::point("image mount: unmounted");
        self.forget_mount(id);
        Ok(true)
    }

    fn mounted(&self, id: &Digest) -> Option<PathBuf> {
        let place = fs::read(self.mount_directory(id).join(PLACE)).ok()?;
        let place = PathBuf::from(std::ffi::OsString::from_vec(place));
        is_mount(&place).then_some(place)
    }

    fn forget_mount(&self, id: &Digest) {
        let directory = self.mount_directory(id);
        // Not with all that is below: should something be mounted there all the same, it stays.
        let _ = fs::remove_file(directory.join(PLACE));
        let _ = fs::remove_dir(directory.join(ROOT));
        let _ = fs::remove_dir(directory);
    }

    fn mount_directory(&self, id: &Digest) -> PathBuf {
        self.paths().run().join(MOUNTS).join(id.hex())
    }
}

/// Whether something is mounted on `place`.
fn is_mount(place: &Path) -> bool {
    rustix::fs::statx(CWD, place, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
