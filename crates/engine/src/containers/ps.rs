//! What `ps` lists: which containers, and what is said of each.

/// Which match.
mod filter;
/// The line of each.
pub(crate) mod line;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use store::Digest;

use crate::containers::create::UPPER;
use crate::containers::lifecycle::Container;
use crate::containers::ps::line::{ContainerSummary, summary};
use crate::engine::Engine;
use crate::error::Result;
use crate::host::tree_size;
use crate::words::filter::Filters;

pub use filter::{CONTAINER_FILTERS, CONTAINER_STATES};

/// Which containers are listed, and how much is said of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Also those that do not run.
    pub all: bool,
    /// At most so many, the newest, whether they run or not.
    pub last: Option<usize>,
    /// Measure how much they have written.
    pub size: bool,
    /// Only those that match.
    pub filters: Filters,
}

/// Configurations of images that were read already: many containers have the same.
#[derive(Default)]
struct Images(HashMap<Digest, image::Config>);

impl Engine {
    /// The lines of `ps`, the newest first.
    ///
    /// # Errors
    /// `Store`; `Invalid` for a filter that makes no sense, `NotFound` for one that names what is not there.
    pub fn list(&self, options: &ListOptions) -> Result<Vec<ContainerSummary>> {
        let filter = filter::Filter::new(self, options)?;
        let now = Timestamp::now();
        let mut images = Images::default();
        let networks = self.live();
        let mut lines = Vec::new();
        for container in self.containers(filter.shows_all())? {
            if options.last.is_some_and(|last| lines.len() >= last) {
                break;
            }
            if !filter.matches(&container) {
                continue;
            }
            let mut line =
                summary(&container, images.of(self, &container), &networks, self.health_status(&container), now);
            if options.size {
                line.size = Some(self.sizes(&container)?);
            }
            lines.push(line);
        }
        Ok(lines)
    }

    /// Bytes that a container has written, and those together with its image.
    ///
    /// # Errors
    /// `Store`.
    pub fn sizes(&self, container: &Container) -> Result<(u64, u64)> {
        let written = tree_size::tree(&self.paths().container(&container.record.id).join(UPPER));
        let image = self.store.image(&container.record.image)?;
        Ok((written, written.saturating_add(image.size)))
    }
}

impl Images {
    /// A container whose image is damaged is listed all the same, without what the image would say.
    fn of(&mut self, engine: &Engine, container: &Container) -> &image::Config {
        match self.0.entry(container.record.image) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(engine.image_config(container).unwrap_or_default()),
        }
    }
}
