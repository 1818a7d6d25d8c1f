//! Removing what nobody uses: containers that do not run, volumes that no container has.

use jiff::Timestamp;
use store::VolumeRecord;

use super::remove::RemoveOptions;
use super::state::{Container, State};
use crate::containers::create::UPPER;
use crate::engine::Engine;
use crate::error::{ErrorKind, Result};
use crate::events::{Event, Type};
use crate::host::tree_size;
use crate::words::filter::Filters;

/// What `container prune --filter` takes.
pub const CONTAINER_PRUNE_FILTERS: &[&str] = &["label", "label!", "until"];
/// What `volume prune --filter` takes.
pub const VOLUME_PRUNE_FILTERS: &[&str] = &["all", "label", "label!"];

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Ids of containers, or names of volumes.
    pub names: Vec<String>,
    /// Bytes of the files that went.
    pub bytes: u64,
}

impl Engine {
    /// Removes the containers that do not run and match the filters.
    ///
    /// # Errors
    /// `Invalid` for a filter that makes no sense, `Store`.
    pub fn prune_containers(&self, filters: &Filters) -> Result<Pruned> {
        let until = filters.until()?;
        let mut pruned = Pruned::default();
        for container in self.containers(true)? {
            if is_stopped(&container) && matches(&container, filters, until) {
                let bytes = tree_size::tree(&self.paths().container(&container.record.id).join(UPPER));
                match self.remove(&container, RemoveOptions::default()) {
                    Ok(()) => {
                        pruned.names.push(container.record.id.hex());
                        pruned.bytes = pruned.bytes.saturating_add(bytes);
                    }
                    // It was started, or removed, meanwhile.
                    Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.tell_pruned(Type::Container, &pruned);
        Ok(pruned)
    }

    /// Removes the volumes that no container uses and that match the filters: those without a name, or all.
    ///
    /// # Errors
    /// `Invalid` for a filter that makes no sense, `Store`.
    pub fn prune_volumes(&self, all: bool, filters: &Filters) -> Result<Pruned> {
        let all = all || filters.switch("all")?.unwrap_or(false);
        let mut pruned = Pruned::default();
        let wanted = |volume: &VolumeRecord| (all || volume.anonymous) && filters.labels(&volume.labels);
        for volume in self.volumes()?.into_iter().filter(wanted) {
            let bytes = tree_size::tree(&self.paths().volume_data(&volume.name));
            match self.remove_volume(&volume.name) {
                Ok(()) => {
                    pruned.names.push(volume.name);
                    pruned.bytes = pruned.bytes.saturating_add(bytes);
                }
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        self.tell_pruned(Type::Volume, &pruned);
        Ok(pruned)
    }

    fn tell_pruned(&self, kind: Type, pruned: &Pruned) {
        self.tell(&Event::now(kind, "", "prune").with([("reclaimed", pruned.bytes.to_string())]));
    }
}

fn is_stopped(container: &Container) -> bool {
    matches!(container.state, State::Created(_) | State::Exited(_) | State::Lost(_))
}

fn matches(container: &Container, filters: &Filters, until: Option<Timestamp>) -> bool {
    let created: Option<Timestamp> = container.record.created.parse().ok();
    let is_old = until.is_none_or(|until| created.is_some_and(|created| created < until));
    is_old && filters.labels(&container.config.labels)
}
