//! Every known way out of a container, tried: one test for each row of the table in `docs/breakouts.md`, named by the
//! CVE, with a real attack and a look at the host.
//!
//! The runtime under test is a parameter (`PHIAL_BREAKOUT_RUNTIME`, see [`harness::runtime`]); so are the system calls
//! that it has to do without. A test passes when the runtime held. With `PHIAL_BREAKOUT_REPORT`, what came out of each
//! row is left in a directory, from which `cargo xtask breakout` makes its table.

/// What all rows stand on.
mod harness;

/// Users, groups, names and numbers.
mod ids;
/// What an image can do to who pulls and runs it.
mod images;
/// Files and limits of the kernel that the default settings close.
mod kernel;
/// Mount points, links and devices of a hostile root file system.
mod mounts;
/// What is written to /proc, and what hides it.
mod proc_files;
/// Programs, descriptors and powers of processes.
mod processes;
/// Ways that are open for an instant only.
mod races;
