//! From a Dockerfile to an image, over a graph that others can make and solve as well.
//!
//! The graph is `BuildKit`'s (LLB): whoever speaks it can send one here, and what is made here can be looked at with their
//! tools.

/// From what a Dockerfile means to a graph and a configuration.
pub mod frontend;
/// The graph: what is done to which results, and in what order.
pub mod llb;
