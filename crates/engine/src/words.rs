//! From words to values and back: what users write and read. Pure.

/// Times in words.
pub(crate) mod ago;
/// `--filter`.
pub(crate) mod filter;
/// Patterns with stars.
pub(crate) mod glob;
/// Which name was meant.
pub(crate) mod similar;
/// Points in time.
pub(crate) mod when;
