//! From an OCI configuration to a running process.
//!
//! [`plan`] computes what isolates a container as ordered steps, without touching the host. [`launch`] carries them out:
//! the parent opens what they need and clones, the child makes system calls and becomes the program. [`cgroup`] limits,
//! [`seccomp`] filters.
//!
//! # Boundaries
//! Knows nothing of images, stores, networks or users' flags; all of that is in the configuration by the time it comes
//! here. Starts no thread and no program but the container's. `unsafe` appears twice, where a process is cloned.
//!
//! # Threat model
//! The configuration is trusted as far as the host goes: it may ask for any bind mount. Root file system, mounted
//! volumes and running containers are hostile: their paths are resolved below the container's root and used by
//! descriptor, nothing of theirs is executed before all privileges are dropped, and no descriptor of the host is open
//! when the program starts.

/// Capabilities as bit sets.
pub mod capability;
/// Control groups: found, made, limited, removed.
pub mod cgroup;
/// Maps of user namespaces.
pub mod idmap;
/// Carrying out a plan: from steps to a process.
pub mod launch;
/// The kernel's table of what is mounted.
pub mod mountinfo;
/// From a configuration to ordered steps; pure, printable, testable without root.
pub mod plan;
/// What an engine and a supervisor say to one another.
pub mod protocol;
/// Shares of caches and memory bandwidth.
pub mod resctrl;
/// Filters of system calls: Docker's default profile, and a compiler to BPF.
pub mod seccomp;
/// Signals by name and number.
pub mod signal;

mod error;

pub use error::{Error, ErrorKind, Result};
