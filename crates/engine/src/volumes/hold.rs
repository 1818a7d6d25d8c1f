//! Volumes made, filled and locked for a container that is about to be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use store::{Digest, Uses, VolumeLock, VolumeRecord, VolumeUse};

use super::driver::{self, Place};
use super::{fill, record};
use crate::config::{ContainerConfig, ImageMount, Mount, MountKind, VolumeMount};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::images::merged::Merged;

/// Where what is mounted lies: volumes by name, layers of images by id, the topmost first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    pub(crate) volumes: BTreeMap<String, Place>,
    pub(crate) images: BTreeMap<Digest, Vec<PathBuf>>,
}

/// What a container is to use. Until its row is committed, nobody can take it away; without that, nothing of it stays.
pub(crate) struct Held<'a> {
    engine: &'a Engine,
    locks: Vec<VolumeLock>,
    pub(crate) uses: Uses,
    pub(crate) sources: Sources,
}

impl Engine {
    /// Makes the volumes of a configuration whose mounts are resolved, and fills those that are empty.
    ///
    /// # Errors
    /// `Conflict` for a file of the image where a volume would be; those of the store and of the copy.
    pub(crate) fn hold_mounts(&self, config: &ContainerConfig, image: &Merged) -> Result<Held<'_>> {
        let mut held = Held { engine: self, locks: Vec::new(), uses: Uses::default(), sources: Sources::default() };
        // In the order of their names, so that two who want the same ones do not wait for one another.
        for name in names(&config.mounts) {
            held.add_volume(&name, &config.mounts, image)?;
        }
        for mount in &config.mounts {
            match &mount.kind {
                MountKind::Volume(volume) => {
                    held.uses.volumes.push(VolumeUse { name: volume.name.clone(), owned: volume.anonymous });
                }
                MountKind::Image(image) => held.add_image(image.id.as_ref())?,
                MountKind::Bind { .. } | MountKind::Tmpfs { .. } => {}
            }
        }
        Ok(held)
    }
}

impl Engine {
    /// Where the volumes and images of a container lie that is there.
    ///
    /// # Errors
    /// `NotFound` for one that is not.
    pub(crate) fn sources(&self, config: &ContainerConfig) -> Result<Sources> {
        let mut sources = Sources::default();
        for name in names(&config.mounts) {
            let place = driver::place(&self.volume(&name)?, self.paths().volume_data(&name))?;
            sources.volumes.insert(name, place);
        }
        for mount in &config.mounts {
            if let MountKind::Image(ImageMount { id: Some(id), .. }) = &mount.kind {
                sources.images.insert(*id, self.layers(&self.store.image(id)?));
            }
        }
        Ok(sources)
    }

    /// For a container that is about to be started, and whose lock is held: waits for whoever fills one of its volumes,
    /// because he may have looked whether it lives before it did, and puts another directory in the place of an empty one.
    /// After this, he finds it alive.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn settle_volumes(&self, config: &ContainerConfig) -> Result<()> {
        for name in names(&config.mounts) {
            let lock = self.store.lock_volume(&name)?;
            // A power failure may have taken the directory of a volume that was just made.
            self.store.locked_volume(&lock)?;
        }
        Ok(())
    }
}

fn names(mounts: &[Mount]) -> BTreeSet<String> {
    mounts.iter().filter_map(|mount| volume_of(mount)).map(|volume| volume.name.clone()).collect()
}

fn volume_of(mount: &Mount) -> Option<&VolumeMount> {
    match &mount.kind {
        MountKind::Volume(volume) => Some(volume),
        _ => None,
    }
}

impl Held<'_> {
    fn add_volume(&mut self, name: &str, mounts: &[Mount], image: &Merged) -> Result<()> {
        let store = &self.engine.store;
        self.locks.push(store.lock_volume(name)?);
        let Some(lock) = self.locks.last() else { return Ok(()) };
        let mut mounted = mounts.iter().filter_map(|mount| volume_of(mount).map(|volume| (mount, volume)));
        let mut own = mounted.clone().filter(|(_, volume)| volume.name == name);
        let volume = if let Some(volume) = store.locked_volume(lock)? {
            volume
        } else {
            let Some((_, first)) = own.clone().next() else { return Ok(()) };
            let new = record(name.to_owned(), first.anonymous, first.labels.clone(), first.options.clone());
            self.uses.new_volumes.push(new.clone());
            new
        };
        driver::check_driver(&volume.driver)?;
        let place = driver::place(&volume, self.engine.paths().volume_data(name))?;
        if let (Place::FileSystem { kind, .. }, true) =
            (&place, mounted.any(|(_, other)| other.name == name && other.subpath.is_some()))
        {
            return Err(Error::invalid(format!("volume-subpath: volume {name} is a file system of type {kind}")));
        }
        // The first mount that wants a copy decides what is copied.
        if let Some((mount, _)) = own.find(|(_, volume)| volume.copy && volume.subpath.is_none())
            && volume.options.is_empty()
        {
            self.fill(lock, &mount.target, image)?;
        }
        self.sources.volumes.insert(name.to_owned(), place);
        Ok(())
    }

    /// Gives an empty volume what the image has there, unless a container that lives may see it.
    fn fill(&self, lock: &VolumeLock, target: &Path, image: &Merged) -> Result<()> {
        let Some(from) = image.directory(&target.to_string_lossy())? else { return Ok(()) };
        for (user, _) in self.engine.store.volume_users(lock.name())? {
            if self.engine.store.container_is_live(&user)? {
                return Ok(());
            }
        }
        self.engine.store.fill_volume(lock, |directory| fill::fill(image, &from, directory))?;
        Ok(())
    }

    fn add_image(&mut self, id: Option<&Digest>) -> Result<()> {
        let Some(id) = id else { return Ok(()) };
        let image = self.engine.store.image(id)?;
        self.sources.images.insert(*id, self.engine.layers(&image));
        self.uses.images.push(*id);
        Ok(())
    }

    /// What was made for a container whose row is committed now.
    pub(crate) fn keep(mut self) -> Vec<VolumeRecord> {
        self.locks.clear();
        std::mem::take(&mut self.uses.new_volumes)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for lock in self.locks.drain(..) {
            // Nobody can be told; what stays has no row and a free lock, so the collector removes it.
            self.engine.store.release_volume(lock).ok();
        }
    }
}
