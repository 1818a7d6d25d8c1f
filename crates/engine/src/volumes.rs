//! Volumes: made, listed, filled, removed, and put into containers.
//!
//! What a container has mounted is settled in two steps. `resolve` completes its configuration (mounts of other
//! containers, the image's `VOLUME`s, names for volumes without one, ids of images), so that everybody who reads it later
//! reads what is the case. `hold` then makes and fills the volumes, whose locks are held until the container's row is
//! committed: only then does everybody else see that they are used.

/// A volume as an archive.
mod archive;
/// The driver `local` and its options.
mod driver;
/// The first content of a volume.
mod fill;
/// Volumes made, filled and locked for a container that is about to be.
mod hold;
/// Which volumes `volume ls` lists.
mod list;
/// What a container has mounted, settled.
mod resolve;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use store::{ContainerId, VolumeRecord};

use crate::config::{ContainerConfig, MountKind};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::events::{Event, Type};
use crate::host::tree_size;
use crate::words::ago;

pub(crate) use driver::Place;
pub(crate) use hold::Sources;
pub use list::{VOLUME_FILTERS, VolumeSummary, VolumeUsage};

/// The label that docker gives to volumes without a name.
pub(crate) const ANONYMOUS_LABEL: &str = "com.docker.volume.anonymous";

/// What `volume create` asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeConfig {
    /// Its name; a random one otherwise.
    pub name: Option<String>,
    /// Its driver; `local` otherwise.
    pub driver: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
}

impl Engine {
    /// Makes a volume; one of that name that is there already stays as it is.
    ///
    /// # Errors
    /// `Invalid` for a name or option that cannot be, `Unsupported` for other drivers.
    pub fn create_volume(&self, config: &VolumeConfig) -> Result<VolumeRecord> {
        self.create_filled_volume(config, None::<fn(&Path) -> Result<()>>)
    }

    /// The same for one that begins with what `fill` puts into a directory: it is there only when it has all of that.
    ///
    /// # Errors
    /// As [`Engine::create_volume`], and those of `fill`.
    pub fn create_filled_volume<E: From<Error> + From<store::Error>>(
        &self,
        config: &VolumeConfig,
        fill: Option<impl FnOnce(&Path) -> Result<(), E>>,
    ) -> Result<VolumeRecord, E> {
        let driver = config.driver.as_deref().unwrap_or(driver::LOCAL);
        driver::check_driver(driver)?;
        driver::check_options(&config.options)?;
        let name = config.name.clone().filter(|name| !name.is_empty());
        let anonymous = name.is_none();
        let name = name.map_or_else(random_name, Ok)?;
        let lock = self.store.lock_volume(&name)?;
        if let Some(found) = self.store.locked_volume(&lock)? {
            return Ok(found);
        }
        let labels = config.labels.clone();
        let volume = record(name, anonymous, labels, config.options.clone());
        let filled = fill.map_or(Ok(true), |fill| self.store.fill_volume(&lock, fill));
        let made = filled.and_then(|_| Ok(self.store.insert_volume(&lock, &volume)?));
        self.store.release_volume(lock)?;
        made?;
        self.tell_volume(&volume, "create", &[]);
        Ok(volume)
    }

    /// The volume of this name.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn volume(&self, name: &str) -> Result<VolumeRecord> {
        self.store.volume(name)?.ok_or_else(|| Error::not_found(format!("no such volume: {name}")))
    }

    /// All volumes, by name. Clears away first what was left of containers that were to go with their end.
    ///
    /// # Errors
    /// `Store`.
    pub fn volumes(&self) -> Result<Vec<VolumeRecord>> {
        self.store.collect_ended();
        self.store.collect_volumes();
        Ok(self.store.volumes()?)
    }

    /// The containers that use a volume: ids and names.
    ///
    /// # Errors
    /// `Store`.
    pub fn volume_users(&self, name: &str) -> Result<Vec<(ContainerId, String)>> {
        Ok(self.store.volume_users(name)?)
    }

    /// How many bytes the files of a volume take in the store. It is walked through.
    pub fn volume_size(&self, name: &str) -> u64 {
        tree_size::tree(&self.paths().volume_data(name))
    }

    /// Removes a volume and all that is in it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when containers use it, which are named.
    pub fn remove_volume(&self, name: &str) -> Result<()> {
        let volume = self.volume(name)?;
        let removed = match self.store.remove_volume(name) {
            // The user may be a container that was to go with its end, and has.
            Err(error) if error.kind() == store::ErrorKind::Conflict => {
                self.store.collect_ended();
                self.store.remove_volume(name)
            }
            other => other,
        };
        removed.map_err(|error| {
            let conflict = error.kind() == store::ErrorKind::Conflict;
            let error = Error::from(error);
            match (conflict, self.store.is_volume_held(name)) {
                (true, Ok(true)) => error.with_hint("wait for the build that has it mounted"),
                (true, _) => error.with_hint("remove these containers first: phial rm"),
                _ => error,
            }
        })?;
        self.tell_volume(&volume, "destroy", &[]);
        Ok(())
    }

    /// A volume in docker's shape.
    pub fn inspect_volume(&self, volume: &VolumeRecord) -> Value {
        let none_or = |map: &BTreeMap<String, String>| if map.is_empty() { Value::Null } else { json!(map) };
        json!({
            "CreatedAt": volume.created,
            "Driver": volume.driver,
            "Labels": none_or(&volume.labels),
            "Mountpoint": self.paths().volume_data(&volume.name),
            "Name": volume.name,
            "Options": none_or(&volume.options),
            "Scope": "local",
        })
    }

    /// Tells that a container that was started has its volumes.
    pub(crate) fn tell_mounts(&self, container: &ContainerId, config: &ContainerConfig) {
        for mount in &config.mounts {
            let MountKind::Volume(volume) = &mount.kind else { continue };
            let event = Event::now(Type::Volume, volume.name.clone(), "mount").with([
                ("container", container.hex()),
                ("destination", mount.target.display().to_string()),
                ("driver", driver::LOCAL.to_owned()),
                ("propagation", String::new()),
                ("read/write", (!mount.read_only).to_string()),
            ]);
            self.tell(&event);
        }
    }

    /// Tells what happened to a volume, in docker's word for it.
    pub(crate) fn tell_volume(&self, volume: &VolumeRecord, action: &str, attributes: &[(&str, &str)]) {
        let event = Event::now(Type::Volume, volume.name.clone(), action).with([("driver", volume.driver.as_str())]);
        self.tell(&event.with(attributes.iter().copied()));
    }
}

fn random_name() -> Result<String> {
    Ok(ContainerId::generate()?.hex())
}

fn record(
    name: String,
    anonymous: bool,
    mut labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
) -> VolumeRecord {
    if anonymous {
        labels.insert(ANONYMOUS_LABEL.to_owned(), String::new());
    }
    VolumeRecord { name, driver: driver::LOCAL.to_owned(), created: ago::now(), anonymous, labels, options }
}
