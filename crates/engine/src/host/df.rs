//! What `system df` tells: how much room images, containers and volumes take, and how much of it could be had back.

use std::collections::{HashMap, HashSet};

use store::{Digest, ImageRecord, StepResult};

use crate::containers::ps::ListOptions;
use crate::containers::ps::line::ContainerSummary;
use crate::engine::Engine;
use crate::error::Result;
use crate::host::tree_size;
use crate::images::list::{ImageListOptions, ImageSummary, ImageUsage};
use crate::volumes::{VolumeSummary, VolumeUsage};
use crate::words::filter::Filters;

/// Room that is taken, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// Images, a line for each name, with their usage.
    pub images: Vec<ImageSummary>,
    /// Containers, with their sizes.
    pub containers: Vec<ContainerSummary>,
    /// Volumes, with their usage.
    pub volumes: Vec<VolumeSummary>,
    /// One line for each kind, in docker's order.
    pub kinds: Vec<KindUsage>,
}

/// All of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindUsage {
    /// What they are called: `Images`.
    pub kind: &'static str,
    /// How many there are.
    pub total: usize,
    /// How many of them are used.
    pub active: usize,
    /// Their size; what several share counts once.
    pub size: u64,
    /// How much of it only those that are not used take.
    pub reclaimable: u64,
}

/// A layer: its size, and which images have it.
#[derive(Default)]
struct LayerUse {
    size: u64,
    images: HashSet<Digest>,
}

impl Engine {
    /// Measures everything: that reads all directories of containers and volumes.
    ///
    /// # Errors
    /// `Store`.
    pub fn disk_usage(&self) -> Result<DiskUsage> {
        let containers = self.list(&ListOptions { all: true, size: true, ..ListOptions::default() })?;
        let all = self.store.all_images()?;
        let mut users: HashMap<Digest, usize> = HashMap::new();
        for container in self.store.containers()? {
            *users.entry(container.image).or_default() += 1;
        }
        let layers = layers(&all);
        let mut images = self.images(&ImageListOptions::default())?;
        for line in &mut images {
            line.usage = Some(image(line.id, &all, &layers, &users));
        }
        let counts = self.store.volume_use_counts()?;
        let mut volumes = self.list_volumes(&Filters::default())?;
        for line in &mut volumes {
            let links = counts.get(&line.volume.name).copied().unwrap_or(0);
            line.usage = Some(VolumeUsage { links, size: tree_size::tree(&line.mountpoint) });
        }
        let kinds = vec![
            of_images(&all, &layers, &users),
            of_containers(&containers),
            of_volumes(&volumes),
            of_steps(&self.store.step_results()?, &self.store.layers_of_images()?),
        ];
        Ok(DiskUsage { images, containers, volumes, kinds })
    }
}

fn layers(images: &[ImageRecord]) -> HashMap<Digest, LayerUse> {
    let mut layers: HashMap<Digest, LayerUse> = HashMap::new();
    for image in images {
        for layer in &image.layers {
            let found = layers.entry(layer.diff_id).or_default();
            found.size = layer.size;
            found.images.insert(image.id);
        }
    }
    layers
}

fn image(
    id: Digest,
    all: &[ImageRecord],
    layers: &HashMap<Digest, LayerUse>,
    users: &HashMap<Digest, usize>,
) -> ImageUsage {
    let own: HashSet<Digest> =
        all.iter().filter(|image| image.id == id).flat_map(|image| &image.layers).map(|l| l.diff_id).collect();
    let of = |shared: bool| {
        let layers = own.iter().filter_map(|diff_id| layers.get(diff_id));
        layers.filter(|layer| (layer.images.len() > 1) == shared).map(|layer| layer.size).sum()
    };
    ImageUsage { shared: of(true), unique: of(false), containers: users.get(&id).copied().unwrap_or(0) }
}

fn of_images(all: &[ImageRecord], layers: &HashMap<Digest, LayerUse>, users: &HashMap<Digest, usize>) -> KindUsage {
    let is_used = |layer: &&LayerUse| layer.images.iter().any(|image| users.contains_key(image));
    let size = layers.values().map(|layer| layer.size).sum();
    let used: u64 = layers.values().filter(is_used).map(|layer| layer.size).sum();
    let active = all.iter().filter(|image| users.contains_key(&image.id)).count();
    KindUsage { kind: "Images", total: all.len(), active, size, reclaimable: size - used }
}

fn of_containers(containers: &[ContainerSummary]) -> KindUsage {
    let is_active = |container: &&ContainerSummary| matches!(container.state, "running" | "paused" | "restarting");
    let size = |container: &ContainerSummary| container.size.map_or(0, |(written, _)| written);
    let total = containers.iter().map(size).sum();
    let active: Vec<&ContainerSummary> = containers.iter().filter(is_active).collect();
    let used: u64 = active.iter().map(|container| size(container)).sum();
    KindUsage {
        kind: "Containers",
        total: containers.len(),
        active: active.len(),
        size: total,
        reclaimable: total - used,
    }
}

fn of_volumes(volumes: &[VolumeSummary]) -> KindUsage {
    let usage: Vec<&VolumeUsage> = volumes.iter().filter_map(|line| line.usage.as_ref()).collect();
    KindUsage {
        kind: "Local Volumes",
        total: usage.len(),
        active: usage.iter().filter(|volume| volume.links > 0).count(),
        size: usage.iter().map(|volume| volume.size).sum(),
        reclaimable: usage.iter().filter(|volume| volume.links == 0).map(|volume| volume.size).sum(),
    }
}

/// Results of builds' steps. Layers that images have are theirs; directories of cache mounts are volumes.
fn of_steps(steps: &[StepResult], of_images: &HashSet<Digest>) -> KindUsage {
    let is_own = |step: &&StepResult| !step.own.iter().any(|layer| of_images.contains(layer));
    let size = steps.iter().filter(is_own).map(|step| step.size).sum();
    KindUsage { kind: "Build Cache", total: steps.len(), active: 0, size, reclaimable: size }
}
