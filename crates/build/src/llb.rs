//! LLB: a build as a graph of operations, each named by the digest of what it says.
//!
//! A definition comes from strangers: a client sends it. [`Graph::read`] takes it apart and keeps what it promises: every
//! operation is what its digest says and says something that is known, all its inputs are there and stand before it, and there
//! is one result. Nothing below it looks at bytes.
//!
//! Source: `BuildKit`'s `solver/pb/ops.proto`.

/// Makes definitions.
mod builder;
/// Whether an operation says something that is known.
mod check;
/// Takes definitions apart.
mod graph;
/// What crosses the wire, field by field.
pub mod message;

pub use builder::{Builder, Output};
pub(crate) use builder::{NAME, called, operation};
pub use graph::{Graph, Refused, Vertex};
