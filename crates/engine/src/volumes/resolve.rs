//! What a container has mounted, settled: mounts of other containers, the image's `VOLUME`s, names and ids.

use std::path::{Path, PathBuf};

use store::ImageRecord;

use super::{driver, random_name};
use crate::config::mount::clean;
use crate::config::{ContainerConfig, Mount, MountKind, Origin, VolumeMount, VolumesFrom};
use crate::engine::Engine;
use crate::error::{Error, Result};

/// As many paths as an image may declare: docker builds none with more.
const MOST_IMAGE_VOLUMES: usize = 1000;

impl Engine {
    /// Completes the mounts of a configuration.
    ///
    /// # Errors
    /// `Invalid` for two mounts on one target and for what cannot be a volume; `NotFound` for a container or an image that
    /// is not there.
    pub(crate) fn resolve_mounts(&self, config: &mut ContainerConfig, image: &image::Config) -> Result<()> {
        refuse_duplicates(&config.mounts)?;
        for from in config.volumes_from.clone() {
            self.add_mounts_of(&from, &mut config.mounts)?;
        }
        add_image_volumes(&mut config.mounts, &image.volumes)?;
        let ContainerConfig { mounts, volume_driver, .. } = config;
        for mount in mounts {
            match &mut mount.kind {
                MountKind::Volume(volume) => complete(volume, volume_driver.as_deref(), &mount.target)?,
                MountKind::Image(image) if image.id.is_none() => image.id = Some(self.mounted_image(&image.image)?.id),
                MountKind::Image(_) | MountKind::Bind { .. } | MountKind::Tmpfs { .. } => {}
            }
        }
        Ok(())
    }

    /// What another container has mounted, where nothing was asked for. Of several containers with a mount on one target,
    /// the last one's counts.
    fn add_mounts_of(&self, from: &VolumesFrom, mounts: &mut Vec<Mount>) -> Result<()> {
        let container = self
            .container(&from.container)
            .map_err(|error| Error::new(error.kind(), format!("--volumes-from {}: {error}", from.container)))?;
        let shared = |mount: &&Mount| !matches!(mount.kind, MountKind::Tmpfs { .. });
        for theirs in container.config.mounts.iter().filter(shared) {
            let mut mount = theirs.clone();
            mount.read_only |= from.is_read_only();
            if !from.mode.is_empty() {
                mount.mode.clone_from(&from.mode);
            }
            mount.origin = Origin::Container;
            if let MountKind::Volume(volume) = &mut mount.kind {
                volume.copy = false;
            }
            match mounts.iter().position(|own| own.target == mount.target) {
                None => mounts.push(mount),
                Some(at) if mounts[at].origin == Origin::Container => mounts[at] = mount,
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn mounted_image(&self, name: &str) -> Result<ImageRecord> {
        self.image(name)
    }
}

fn refuse_duplicates(mounts: &[Mount]) -> Result<()> {
    for (number, mount) in mounts.iter().enumerate() {
        if mounts[..number].iter().any(|other| other.target == mount.target) {
            return Err(Error::invalid(format!("duplicate mount point: {}", mount.target.display()))
                .with_hint("give one mount for each target"));
        }
    }
    Ok(())
}

/// Each path of the image's `VOLUME` gets a volume of its own, unless something is mounted there.
fn add_image_volumes(mounts: &mut Vec<Mount>, paths: &[String]) -> Result<()> {
    if paths.len() > MOST_IMAGE_VOLUMES {
        return Err(Error::invalid(format!("the image declares {} volumes", paths.len())));
    }
    for path in paths {
        // The text is a stranger's: whatever it says, it is a path below the container's root.
        let target: PathBuf = clean(Path::new(path));
        if target == Path::new("/") {
            return Err(Error::invalid(format!("the image's VOLUME {path:?}: the target is the root directory")));
        }
        if mounts.iter().any(|mount| mount.target == target) {
            continue;
        }
        let volume = VolumeMount { anonymous: true, copy: true, ..VolumeMount::default() };
        let kind = MountKind::Volume(volume);
        mounts.push(Mount { target, read_only: false, kind, mode: String::new(), origin: Origin::Image });
    }
    Ok(())
}

fn complete(volume: &mut VolumeMount, default_driver: Option<&str>, target: &Path) -> Result<()> {
    let driver = volume.driver.as_deref().or(default_driver).unwrap_or(driver::LOCAL);
    driver::check_driver(driver)?;
    driver::check_options(&volume.options)
        .map_err(|error| Error::new(error.kind(), format!("volume on {}: {error}", target.display())))?;
    if volume.name.is_empty() {
        volume.name = random_name()?;
    }
    Ok(())
}
