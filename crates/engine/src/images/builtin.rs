//! Images that come from nowhere: made on this host, without a registry.
//!
//! `hello` is made of the program that is embedded in `phial`; `phial/toolbox` of Debian's `busybox-static` package,
//! fetched through the host's own package manager. Both are made the same way: an archive with nothing in it that
//! changes from one time to the next, so that the same contents always have the same digests, and a later save or push gives
//! what a registry would. Owns what these images contain. It never asks a registry, and knows nothing of containers.
//!
//! Formats: OCI image specification, "Image Manifest" and "Image Configuration".

/// Debian packages through `apt-get`, unpacked without being installed.
mod apt;
/// A layer's archive, the same bytes for the same contents.
mod archive;
/// From an archive and a configuration to an image in the store.
mod assemble;
/// The image of the embedded program.
mod hello;
/// The image with a shell.
mod toolbox;

pub use hello::{HELLO, ensure_hello, is_hello};
pub use toolbox::{TOOLBOX, bootstrap_toolbox};
