//! OCI layers: from a tar stream to a directory that overlayfs can use, and back (image-spec `layer.md`).
//! Owns what an entry becomes on disk; knows nothing of registries, digests, compression or the store.
//!
//! Everything in the stream is hostile. What keeps it inside the directory:
//!
//! - Every file is made, changed and removed by the descriptor of its parent and one single name; the kernel is never
//!   given a path and never follows a symlink. Absolute names are taken as relative, `..` is refused.
//! - A parent that an earlier entry of the layer made a symlink is resolved inside the layer's own directory, as docker does
//!   after its chroot: `d -> /usr/d`, then `d/b`, writes `usr/d/b` of this layer and nothing else.
//! - Descriptors of directories are kept, never verdicts about paths, and an entry that replaces a directory throws away the
//!   descriptors of the whole subtree (CVE-2025-47290).
//! - Numbers, names, extended attributes, sparse maps and the stream itself are bounded by [`Limits`].

/// What a bad layer, or the disk, made impossible.
mod error;
pub use error::{Error, ErrorKind, Result};

/// How much a layer may ask for.
mod limits;
pub use limits::Limits;

/// Writes a layer into a directory.
mod unpack;
pub use unpack::{Owner, Unpacked, extract, unpack, unpack_with_tape};

/// What is kept of a layer's archive, and the archive again.
mod tape;
pub use tape::{recorded_length, replay};

/// What an archive has and its layer has not: files that a later entry replaced.
mod replaced;

/// Writes a directory as a layer, or as it is.
mod pack;
pub use pack::{Form, Packed, measure, measure_until, pack, pack_opened, pack_several, pack_until};

/// What one entry becomes on disk, whiteouts included.
mod place;

/// The directories of the layer being written: known by name, open while they are in use.
mod tree;

/// From tar headers to entries: ustar, GNU, PAX, sparse files.
mod archive;

/// Names in an archive: components, `..`, whiteouts.
mod path;

/// A tar archive with random access.
pub(crate) mod tar;

/// One 512-byte tar header.
mod header;

/// PAX extended headers.
mod pax;

/// The maps of sparse files, in the four forms that GNU tar has used.
mod sparse;

/// The stream: buffered once, counted, bounded.
mod input;

/// The headers of an entry: ustar, and PAX where that has no room.
mod encode;
pub(crate) use encode::entry_headers;

/// Where an archive is written to.
mod sink;
