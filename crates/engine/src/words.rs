//! From words to values and back: what users write and read. Pure.

/// Times in words.
pub(crate) mod ago;
/// `--filter`.
pub(crate) mod filter;
/// Patterns with stars.
pub(crate) mod glob;
/// Points in time.
pub(crate) mod when;
