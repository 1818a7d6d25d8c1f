//! Answering names of containers, and forwarding the rest.
