//! Images in files: what `save` writes and `load` reads. Owns the two formats: docker's archive (`manifest.json`, which every docker
//! since 1.10 reads) and the OCI image layout (image-spec `image-layout.md`). What is written is both at once, as docker's is since 25.
//!
//! A file is a stranger's. Its names are only looked up in its own table, so no symlink or `..` of it leads anywhere else; manifests and
//! configurations are bounded; every blob is held against its digest, and every layer against the configuration's.

/// Bytes of a file or a pipe, with random access.
mod source;

/// What a tar archive has, by name, and where.
mod index;

/// From an archive or a layout to the images in it.
mod find;

/// Into the store.
mod load;

/// What is written, as an archive or a directory.
mod layout;

/// Out of the store.
mod save;

pub use find::Entry;
pub use layout::Layout;
pub use load::{LoadOptions, Loaded, bring, load};
pub use save::{ManifestForm, SaveItem, docker_item, manifest, manifest_in, save};
pub use source::Input;
