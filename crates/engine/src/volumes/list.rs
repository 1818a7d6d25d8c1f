//! The lines of `volume ls`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use store::VolumeRecord;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::words::filter::Filters;

/// What `volume ls --filter` takes.
pub const VOLUME_FILTERS: &[&str] = &["dangling", "driver", "label", "label!", "name", "scope"];

/// One line of `volume ls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSummary {
    /// The volume.
    pub volume: VolumeRecord,
    /// Its directory on the host.
    pub mountpoint: PathBuf,
    /// Who uses it, and its size; None if nobody asked.
    pub usage: Option<VolumeUsage>,
}

/// What a volume takes, and who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeUsage {
    /// How many containers use it.
    pub links: usize,
    /// Its size.
    pub size: u64,
}

impl Engine {
    /// The volumes that match, by name.
    ///
    /// # Errors
    /// `Invalid` for a filter that makes no sense, `Store`.
    pub fn list_volumes(&self, filters: &Filters) -> Result<Vec<VolumeSummary>> {
        let dangling = filters.switch("dangling")?;
        if let Some(scope) = filters.values("scope").find(|scope| !matches!(*scope, "local" | "global")) {
            return Err(Error::invalid(format!("invalid filter 'scope={scope}'")).with_hint("one of local, global"));
        }
        let volumes = self.volumes()?;
        let used = if dangling.is_some() { self.store.volume_use_counts()? } else { BTreeMap::default() };
        let matches = |volume: &VolumeRecord| {
            dangling.is_none_or(|dangling| dangling != used.contains_key(&volume.name))
                && filters.any("driver", |driver| volume.driver == driver)
                && filters.any("name", |part| volume.name.contains(part))
                && filters.any("scope", |scope| scope == "local")
                && filters.labels(&volume.labels)
        };
        let line = |volume: VolumeRecord| {
            let mountpoint = self.paths().volume_data(&volume.name);
            VolumeSummary { volume, mountpoint, usage: None }
        };
        Ok(volumes.into_iter().filter(matches).map(line).collect())
    }
}
