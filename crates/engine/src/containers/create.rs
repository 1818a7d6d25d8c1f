//! From a configuration to a container that waits to be started: directories, files, a row in the store.
//!
//! The order is the store's (see `store::ContainerReservation`): whoever is killed on the way leaves garbage that the next
//! command finds by its free lock. Nothing is synced: a container that a power failure takes was not running after it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use image::ImageConfig;
use runtime::protocol::CONFIG_FILE;
use store::{ContainerId, ContainerLock, ContainerRecord, Digest, ImageRecord};

use super::etc_files::{self, Names};
use crate::config::{ContainerConfig, Healthcheck, Mount, MountKind, Network, Signal};
use crate::engine::Engine;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::events;
use crate::images::merged::Merged;
use crate::inspect::labels;
use crate::logs::check_host;
use crate::spec::{self, Host, Identity, Inputs};
use crate::volumes::Sources;
use crate::words::ago;

/// Name of a container's log in its directory.
pub(crate) const LOG_FILE: &str = "container.log";
/// Names of the overlay's two directories in a container's directory.
pub(crate) const UPPER: &str = "upper";
pub(crate) const WORK: &str = "work";
/// Name of an empty directory there: a layer below the only one of an image that is mounted, as overlayfs wants two.
pub(crate) const EMPTY: &str = "empty";

/// A container that is not started: a new one, or one of before ([`Engine::ready`]). Its lock is held as long as this
/// value lives.
#[derive(Debug)]
#[must_use = "a container for `run` that nobody starts is removed by the next command"]
pub struct Created {
    pub(crate) record: ContainerRecord,
    pub(crate) config: ContainerConfig,
    pub(crate) lock: ContainerLock,
    /// Layer directories, the topmost first.
    pub(crate) layers: Vec<PathBuf>,
    /// Whether it was there before this command.
    pub(crate) again: bool,
    /// How often its policy has started it.
    pub(crate) restarts: u32,
}

impl Created {
    /// The container's id.
    pub fn id(&self) -> &ContainerId {
        &self.record.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.record.name
    }
}

/// What becomes of a container that was created and never started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unstarted {
    /// It stays (`create`).
    Keep,
    /// It goes: its creator was killed before he could start it (`run`).
    Collect,
}

impl Engine {
    /// Creates a container of `image`.
    ///
    /// # Errors
    /// `Invalid` for a configuration that cannot be, `Conflict` for a name in use, `NotFound` for a user or a bind
    /// source that is not there.
    pub fn create(&self, config: &ContainerConfig, image: &ImageRecord, unstarted: Unstarted) -> Result<Created> {
        let image_config = ImageConfig::parse(&self.store.blob(&image.id)?)?.config;
        let config = self.with_ids_of_others(effective(config, &image_config)?)?;
        let mut config = self.with_ids_of_networks(config)?;
        if unstarted == Unstarted::Collect {
            self.joins(None, &config)?;
        }
        self.resolve_mounts(&mut config, &image_config)?;
        check_host(&config.logging)?;
        let layers = self.layers(image);
        let merged = Merged::open(&layers)?;
        let identity = identity(&merged, config.user.as_deref().unwrap_or(&image_config.user), &config.group_add)?;
        let host = self.host(&config)?;
        let prepared = Prepared { image_config, config, identity, host, layers, merged, unstarted };
        match self.commit(&prepared, image.id) {
            // The holder of the name may be a container that was to go, and has: then its row is all that is left.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.store.collect_ended();
                self.store.collect_containers();
                self.commit(&prepared, image.id)
            }
            other => other,
        }
    }

    fn commit(&self, prepared: &Prepared, image: Digest) -> Result<Created> {
        let config = &prepared.config;
        let id = ContainerId::generate()?;
        let held = self.hold_mounts(config, &prepared.merged)?;
        let reservation = self.store.reserve_container(&id)?.with_uses(held.uses.clone());
        let mut record = ContainerRecord {
            id,
            name: config.name.clone().unwrap_or_default(),
            image,
            image_name: config.image.clone(),
            created: ago::now(),
            boot_id: store::boot_id()?,
            auto_remove: config.auto_remove,
            keep_unstarted: prepared.unstarted == Unstarted::Keep,
            config: config.stored(),
        };
        let places = Places { directory: &reservation.dir(), bundle: &self.bundle(&record) };
        prepared.write(&id.hex(), &places, &held.sources)?;
        let lock = match config.name {
            Some(_) => reservation.commit(&record).map_err(|error| name_error(error, &record.name))?,
            None => reservation.commit_with_random_name(&mut record)?,
        };
        for volume in held.keep() {
            self.tell_volume(&volume, "create", &[]);
        }
        self.tell(&events::about_container(&record, config, "create"));
        let (config, layers) = (config.clone(), prepared.layers.clone());
        Ok(Created { record, config, lock, layers, again: false, restarts: 0 })
    }

    /// Writes the files of a container that is there and does not run anew, as they follow from its row, its image and
    /// this host now. Returns its layers.
    pub(crate) fn rewrite(&self, record: &ContainerRecord, config: ContainerConfig) -> Result<Vec<PathBuf>> {
        let image = self.store.image(&record.image)?;
        let image_config = ImageConfig::parse(&self.store.blob(&image.id)?)?.config;
        let layers = self.layers(&image);
        let directory = self.paths().container(&record.id);
        // What it has written itself counts as well.
        let all: Vec<PathBuf> = [directory.join(UPPER)].into_iter().chain(layers.iter().cloned()).collect();
        let merged = Merged::open(&all)?;
        let identity = identity(&merged, config.user.as_deref().unwrap_or(&image_config.user), &config.group_add)?;
        let host = self.host(&config)?;
        let (unstarted, sources) = (Unstarted::Keep, self.sources(&config)?);
        let prepared = Prepared { image_config, config, identity, host, layers, merged, unstarted };
        let places = Places { directory: &directory, bundle: &self.bundle(record) };
        prepared.write_files(&record.id.hex(), &places, &sources, true)?;
        Ok(prepared.layers)
    }

    /// Where a container's `config.json` lies and the files that it mounts, which all follow from its row, its image and
    /// this host. Those of one that no reboot outlives are in memory: it need not wait for a disk to make and delete them.
    pub(crate) fn bundle(&self, record: &ContainerRecord) -> PathBuf {
        if record.auto_remove && !record.keep_unstarted {
            self.paths().run_container(&record.id)
        } else {
            self.paths().container(&record.id)
        }
    }

    /// An image's layer directories, the topmost first.
    pub(crate) fn layers(&self, image: &ImageRecord) -> Vec<PathBuf> {
        image.layers.iter().rev().map(|layer| self.store.layer_dir(&layer.diff_id)).collect()
    }
}

/// Who `user` is in the image, with these groups besides.
pub(crate) fn identity(image: &Merged, user: &str, groups: &[String]) -> Result<Identity> {
    let file = |path| image.read(path, spec::MOST_BYTES).map(Option::unwrap_or_default);
    let group = file("etc/group")?;
    Identity::resolve(user, &file("etc/passwd")?, &group)?.with_groups(groups, &group)
}

/// Everything that is known before an id is taken.
pub(super) struct Prepared {
    pub(super) image_config: image::Config,
    pub(super) config: ContainerConfig,
    pub(super) identity: Identity,
    pub(super) host: Host,
    pub(super) layers: Vec<PathBuf>,
    pub(super) merged: Merged,
    pub(super) unstarted: Unstarted,
}

/// The directories of a container.
pub(super) struct Places<'a> {
    /// The persistent one.
    pub(super) directory: &'a Path,
    /// That of its bundle.
    pub(super) bundle: &'a Path,
}

impl Prepared {
    /// Writes the container's files into its new directories.
    fn write(&self, id: &str, places: &Places<'_>, sources: &Sources) -> Result<()> {
        self.write_files(id, places, sources, false)?;
        let directory = places.directory;
        // The upper directory is the container's `/`: everyone in it must be able to pass.
        readable(&directory.join(UPPER), |path| fs::create_dir(path), 0o755)?;
        readable(&directory.join(WORK), |path| fs::create_dir(path), 0o700)?;
        if !sources.images.is_empty() {
            readable(&directory.join(EMPTY), |path| fs::create_dir(path), 0o755)?;
        }
        sys::fault::point("create: directory filled");
        Ok(())
    }

    /// Writes those of the container's files that follow from what it is; `replace` tells whether they are there already.
    pub(super) fn write_files(&self, id: &str, places: &Places<'_>, sources: &Sources, replace: bool) -> Result<()> {
        let Places { directory, bundle } = *places;
        let inputs = Inputs {
            id,
            config: &self.config,
            image: &self.image_config,
            identity: &self.identity,
            host: &self.host,
            directory,
            bundle,
            sources,
        };
        let spec = spec::build(&inputs)?;
        self.config.mounts.iter().try_for_each(bind_source)?;
        let json = serde_json::to_vec(&spec).map_err(|error| Error::invalid(format!("the configuration: {error}")))?;
        let path = bundle.join(CONFIG_FILE);
        let written = if replace {
            // Readers find the old one or the new one whole.
            let beside = bundle.join(".config.json");
            fs::write(&beside, json).and_then(|()| fs::rename(&beside, &path))
        } else {
            fs::write(&path, json)
        };
        written.context(|| path.display())?;
        sys::fault::point("create: configuration written");
        // Whoever starts a container on networks writes the files below /etc when it has addresses. In one that stays as it is
        // they say what they can: `cp` and `export` look into it, too.
        let starts_at_once = replace || self.unstarted == Unstarted::Collect;
        if starts_at_once && matches!(self.config.network, Network::Own(_)) {
            return Ok(());
        }
        etc_files::write(bundle, &self.config, inputs.hostname(), &Names::default())
    }
}

/// Makes something whose mode is `mode` whatever the umask of this process is.
pub(super) fn readable(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>, mode: u32) -> Result<()> {
    make(path).and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode))).context(|| path.display())
}

/// The configuration with what the image says about stopping it, which `stop` looks for, and with its labels, which are
/// the container's from now on.
fn effective(config: &ContainerConfig, image: &image::Config) -> Result<ContainerConfig> {
    let mut config = config.clone();
    config.labels = labels(&config, image);
    if let (None, Some(signal)) = (config.stop_signal, &image.stop_signal) {
        config.stop_signal = Some(Signal::parse("the image's STOPSIGNAL", signal)?);
    }
    config.health = Healthcheck::effective(config.health.as_ref(), image)?;
    config.stop_timeout =
        config.stop_timeout.or_else(|| image.stop_timeout.and_then(|seconds| seconds.try_into().ok()));
    Ok(config)
}

/// The source of a bind mount is a path of the user's own, on his own host. `-v` makes it if it is missing.
fn bind_source(mount: &Mount) -> Result<()> {
    let MountKind::Bind { source, create_source, .. } = &mount.kind else { return Ok(()) };
    match source.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) if *create_source => fs::create_dir_all(source).context(|| format!("--volume: {}", source.display())),
        Ok(false) => Err(Error::not_found(format!("--mount: bind source {} does not exist", source.display()))
            .with_hint("-v makes a missing source, --mount does not")),
        Err(error) => Err(Error::system(format!("bind source {}", source.display()), error)),
    }
}

fn name_error(error: store::Error, name: &str) -> Error {
    let conflict = error.kind() == store::ErrorKind::Conflict;
    let error = Error::from(error);
    if conflict { error.with_hint(format!("phial rm {name}, or use another name")) } else { error }
}
