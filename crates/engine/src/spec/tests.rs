//! Snapshots of configurations.
