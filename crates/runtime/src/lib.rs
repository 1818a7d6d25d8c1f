//! From an OCI configuration to a running process (placeholder until the table of contents is written).

pub mod protocol;
