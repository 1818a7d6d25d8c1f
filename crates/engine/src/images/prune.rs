//! `image prune`: images that nobody uses.

use std::collections::HashSet;

use store::Digest;

use super::familiar;
use crate::RemovedImage;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::images::list::{self, ImageListOptions};
use crate::words::filter::Filters;

/// What `image prune --filter` takes.
pub const IMAGE_PRUNE_FILTERS: &[&str] = &["dangling", "label", "label!", "until"];

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunedImages {
    /// Names and images, in docker's order.
    pub removed: Vec<RemovedImage>,
    /// Bytes of the layers that went with them.
    pub bytes: u64,
}

impl Engine {
    /// Removes images that have no name, or with `all` those that no container is made from, if they match the filters.
    ///
    /// # Errors
    /// `Invalid` for a filter that makes no sense, `Store`.
    pub fn prune_images(&self, all: bool, filters: &Filters) -> Result<PrunedImages> {
        filters.until()?;
        let all = all || filters.switch("dangling")? == Some(false);
        let options = ImageListOptions { filters: filters.without("dangling"), ..ImageListOptions::default() };
        let lines = self.images(&options)?;
        let matching: HashSet<Digest> = lines.iter().map(|line| line.id).collect();
        let used: HashSet<Digest> = self.store.containers()?.iter().map(|container| container.image).collect();
        let mut pruned = PrunedImages::default();
        for image in self.store.images()? {
            let is_nameless = !image.references.iter().any(|name| list::is_tag(name));
            if !matching.contains(&image.id) || used.contains(&image.id) || !(all || is_nameless) {
                continue;
            }
            let Ok(_unmounted) = self.release_mount(&image, false) else { continue };
            match self.store.delete_image(&image.id, store::Use::Refuse) {
                Ok(removed) => {
                    let id = image.id.to_string();
                    for _ in &removed.untagged {
                        self.tell_image(&id, "untag", &id);
                    }
                    self.tell_image(&id, "delete", &id);
                    pruned.removed.extend(familiar(&removed.untagged).into_iter().map(RemovedImage::Untagged));
                    pruned.removed.push(RemovedImage::Deleted(image.id));
                }
                // A container was made of it, or it was removed, meanwhile.
                Err(error) if matches!(error.kind(), store::ErrorKind::Conflict | store::ErrorKind::NotFound) => {}
                Err(error) => return Err(Error::new(ErrorKind::Store, error.to_string())),
            }
        }
        let collected = self.store.collect();
        pruned.bytes = collected.bytes;
        if !pruned.removed.is_empty() {
            pruned.removed.extend(collected.layers.into_iter().map(RemovedImage::Deleted));
        }
        Ok(pruned)
    }
}
