//! The programs this one carries, built by `build.rs`.

/// `phial-runtime`: becomes the supervisor of each container.
pub(crate) const RUNTIME: &[u8] = include_bytes!(env!("PHIAL_RUNTIME"));

/// A hash of it.
pub(crate) const RUNTIME_BUILD: &str = env!("PHIAL_RUNTIME_BUILD");

/// The one program of the image `hello`.
pub(crate) const HELLO: &[u8] = include_bytes!(env!("PHIAL_HELLO"));
