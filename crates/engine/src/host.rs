//! This host and the store as a whole.

/// Devices that specifications of vendors describe.
pub(crate) mod cdi;
/// Whether the store is whole, and what is done if not.
pub(crate) mod check;
/// What `system df` tells.
pub(crate) mod df;
/// `info` and `version`.
pub(crate) mod info;
/// How much room a tree takes.
pub(crate) mod tree_size;
