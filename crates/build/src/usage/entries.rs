//! What there is in the cache: results of steps, directories of `RUN --mount=type=cache`, and what is known of contexts' files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::Engine;
use store::{Digest, StepResult, VolumeRecord};

use super::CacheRecord;
use crate::context::index;
use crate::error::Result;
use crate::solve::CACHE_LABEL;

/// What the builder keeps for itself, which makes builds faster and is no result.
pub(super) const INTERNAL: &str = "internal";
/// Directories of cache mounts.
const CACHE_MOUNT: &str = "exec.cachemount";
/// So many letters of a digest are an id, as long as `BuildKit`'s.
const ID: usize = 25;

/// A record, and where it is kept.
pub(super) struct Entry {
    pub(super) record: CacheRecord,
    pub(super) kept: Kept,
}

/// Where something of the cache is kept.
pub(super) enum Kept {
    /// In a row, and layers.
    Result {
        /// Which.
        id: i64,
    },
    /// In a volume.
    Volume {
        /// Which.
        name: String,
    },
    /// In a file of sums.
    Sums {
        /// Which.
        file: PathBuf,
    },
}

impl Entry {
    /// Larger for what was made later.
    pub(super) fn number(&self) -> i64 {
        if let Kept::Result { id } = self.kept { id } else { 0 }
    }
}

/// All of it.
///
/// # Errors
/// Those of the store.
pub(super) fn entries(engine: &Engine) -> Result<Vec<Entry>> {
    let store = engine.store();
    let of_images = store.layers_of_images()?;
    let results = store.step_results()?.into_iter();
    let mut entries: Vec<Entry> = results.map(|result| of_result(result, &of_images)).collect();
    for volume in store.volumes()? {
        if let Some(id) = volume.labels.get(CACHE_LABEL) {
            entries.push(of_volume(engine, &volume, id)?);
        }
    }
    entries.extend(index::all(engine.paths()).into_iter().filter_map(|(file, of)| of_sums(file, of.as_deref())));
    Ok(entries)
}

fn of_result(result: StepResult, of_images: &HashSet<Digest>) -> Entry {
    let id = result.own.first().map_or_else(|| result.id.to_string(), |layer| layer.hex()[..ID].to_owned());
    let record = CacheRecord {
        id,
        kind: result.kind,
        description: result.description,
        size: result.size,
        created: seconds(result.created),
        last_used: Some(seconds(result.used)),
        uses: result.uses,
        shared: result.own.iter().any(|layer| of_images.contains(layer)),
        in_use: false,
    };
    Entry { record, kept: Kept::Result { id: result.id } }
}

fn of_volume(engine: &Engine, volume: &VolumeRecord, id: &str) -> Result<Entry> {
    let name = &volume.name;
    // It begins with the namespace of the build, which mostly is nothing, and a slash.
    let id = id.strip_prefix('/').unwrap_or(id);
    let created = volume.created.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_second);
    let is_used = engine.store().is_volume_held(name)? || !engine.volume_users(name)?.is_empty();
    let record = CacheRecord {
        id: name.clone(),
        kind: CACHE_MOUNT.to_owned(),
        description: format!("cached mount {id} in volume {name}"),
        size: engine.volume_size(name),
        created: seconds(u64::try_from(created).unwrap_or_default()),
        last_used: engine.store().volume_used(name),
        uses: 0,
        shared: false,
        in_use: is_used,
    };
    Ok(Entry { record, kept: Kept::Volume { name: name.clone() } })
}

/// What is known of the files of a context. Of one that is not there any more, it is of no use to anybody.
fn of_sums(file: PathBuf, context: Option<&Path>) -> Option<Entry> {
    let metadata = file.metadata().ok()?;
    let written = metadata.modified().unwrap_or(UNIX_EPOCH);
    let is_gone = context.is_none_or(|context| matches!(context.try_exists(), Ok(false)));
    let shown = context.map_or_else(|| "a context".to_owned(), |context| context.display().to_string());
    let name = file.file_name()?.to_string_lossy().into_owned();
    let record = CacheRecord {
        id: name.chars().take(ID).collect(),
        kind: if is_gone { "source.local" } else { INTERNAL }.to_owned(),
        description: format!("sums of the files of {shown}{}", if is_gone { ", which is gone" } else { "" }),
        size: metadata.len(),
        created: written,
        last_used: None,
        uses: 0,
        shared: false,
        in_use: false,
    };
    Some(Entry { record, kept: Kept::Sums { file } })
}

fn seconds(seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}
