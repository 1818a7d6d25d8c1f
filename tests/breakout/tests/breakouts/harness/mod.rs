//! What all rows stand on: the runtime under test, a stage with a victim beside the container, and a verdict.

/// Programs in machine code, for calls that no tool makes.
pub(crate) mod code;
/// The configuration that every container begins with.
mod config;
/// `phial` itself, with hostile images.
pub(crate) mod engine;
/// The runtime under test.
pub(crate) mod runtime;
/// A bundle, and a victim beside it.
pub(crate) mod scene;
/// Names that are exchanged while something else is going on.
pub(crate) mod swap;
/// What came out of a row.
pub(crate) mod verdict;

pub(crate) use self::scene::Scene;
pub(crate) use self::verdict::{Row, Verdict};
