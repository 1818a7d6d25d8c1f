//! System call filters: from an OCI profile (`config-linux.md`, "Seccomp") to a program for `seccomp(2)`.
//!
//! Owns the default profile, the numbers of system calls, what rules mean together, and the compiler to classic BPF.
//! Never installs anything: that is `sys::seccomp::install`, called by the executor.
//!
//! The way of a profile, a file per step: [`rules`] reads it, [`segments`] decides for every number of an
//! architecture, [`assemble`] turns that into instructions with few jumps, [`compile()`] puts the parts together.
//! Nothing is cached: compiling Docker's default profile takes about a tenth of a millisecond.

/// The profile a container gets when it asks for none.
mod profile;

/// From a profile to a program, with the flags it is installed with.
mod compile;

/// What the rules of a profile mean, in the form the compiler works on.
mod rules;

/// Every number of an architecture, in runs that share one outcome.
mod segments;

/// Instructions, jumps and their limits.
mod assemble;

/// Names, numbers and architectures.
pub mod syscalls;

pub use compile::{Filter, compile, flag_word as flag};
pub use profile::{KernelVersion, ProfileContext, default_profile};
