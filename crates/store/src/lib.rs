//! Blobs, layers, images and containers on disk: what is configured, shared by any number of processes at once.
//!
//! Owns the directory tree that [`Paths`] describes and the database in it. Each operation has one commit point: the
//! rename of a directory, or one transaction. A `kill -9` at any instant leaves the old state or the new one, and
//! perhaps garbage that [`Store::collect`] finds. Never says whether a process of a container is well: that is in files
//! which its supervisor writes; the store only knows whether somebody holds the container's lock.
//!
//! Five kinds of lock, all `flock(2)`, all freed by the kernel when their holder dies:
//!
//! | file | held | by |
//! |---|---|---|
//! | `ROOT/lock` | shared | whoever adds content that no image refers to yet ([`Lease`]) |
//! | | exclusively | the collector, while it moves unreferenced content away; the creator of the database |
//! | `ROOT/tmp/<diff id>.lock` | exclusively | the one writer of a layer ([`LayerWriter`]) |
//! | `RUN/containers/<id>/lock` | exclusively | a container's creator, then its supervisor ([`ContainerLock`]) |
//! | `ROOT/volumes/<name>` | exclusively | who makes, fills or takes away a volume ([`VolumeLock`]) |
//! | `ROOT/tmp/<of a name>.lock` | shared, exclusively | who has a volume mounted and is no container, or makes a step of a build ([`NameHold`]) |

/// Small content by digest: manifests and image configurations. Verified on every read.
mod blobs;
/// Which boot of the machine this is: what was running in another one is not running now.
mod boot;
/// Changes of a container that is there: its name, its configuration.
mod change;
/// What nobody refers to any more, and its removal.
mod collect;
/// Container rows, the order in which a container comes into being, and its lock.
mod containers;
/// Opening the database: format version, creation, migrations.
mod database;
/// SHA-256 digests, validated on parsing, and the hasher that makes them.
mod digest;
/// Images and power failures: listed at once, durable later.
mod durability;
/// One opaque error with a [`kind`](Error::kind); its text is complete in itself.
mod error;
/// The handle everything starts from, and leases.
mod handle;
/// A writer that hashes what goes through it.
mod hashing;
/// Volumes that somebody has mounted who is no container.
mod holds;
/// Container ids: 64 hex digits, random.
mod id;
/// Images and their names.
mod images;
/// What is wrong or superfluous, and what to do about damage.
mod integrity;
/// Where registries have layers.
mod layer_blobs;
/// Layer directories: one writer at a time, present by one rename.
mod layers;
/// `flock(2)`, and lock files that may be unlinked while others wait for them.
mod lock;
/// Names for containers that were given none.
pub mod names;
/// Networks: their rows.
mod networks;
/// Where everything lies; pure.
mod paths;
/// Small files that are replaced as a whole.
mod replace;
/// Steps of builds: what they have made, and by which keys it is found.
mod steps;
/// Deleting trees that strangers filled: away by one rename first, then entry by entry.
mod tree;
/// Volumes: directories that outlive containers, their rows, and who uses them.
mod volumes;

pub use boot::boot_id;
pub use collect::Collected;
pub use containers::{ContainerLock, ContainerRecord, ContainerReservation};
pub use database::FORMAT;
pub use digest::{Digest, Hasher};
pub use error::{Error, ErrorKind};
pub use handle::{End, Lease, Store};
pub use hashing::Hashing;
pub use holds::{Hold, NameHold};
pub use id::ContainerId;
pub use images::{ImageRecord, LayerRef, Removed, Use};
pub use integrity::{Alone, DatabaseFile, Garbage};
pub use layer_blobs::LayerBlob;
pub use layers::{Layer, LayerSlot, LayerWriter};
pub use networks::NetworkRecord;
pub use paths::Paths;
pub use steps::{CacheSize, StepResult, tree_name};
pub use volumes::{Uses, VolumeLock, VolumeRecord, VolumeUse};

/// What the store's operations return.
pub type Result<T> = std::result::Result<T, Error>;
