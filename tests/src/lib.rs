//! What the end-to-end tests, the demo and the bench stand on: the built program, a real registry, real images, a
//! terminal, and a look at what is left on the host.
//!
//! Owns no assertions about Phial (those are in `tests/tests/`), and knows nothing of Phial's crates: it uses the
//! program as a user does. Nothing here is skipped when a tool is missing: it is a [`Failure`] that says what to
//! install.

/// An OCI bundle, and the built `phial-runtime` on it.
pub mod bundle;
/// Cases of builds, as data.
pub mod cases;
/// Debian's docker, containerd and podman on private directories, with a runtime of one's choice.
pub mod engines;
/// The one error: a sentence for whoever reads the log.
mod failure;
/// A program that dies where it is told to, and what must be true after that.
pub mod faults;
/// What is in an image, as lines.
pub mod flat;
/// A command that goes on, read line by line.
pub mod followed;
/// An HTTP/1.1 client of one request per connection: enough to fill a registry on loopback.
mod http;
/// Images written by hand: layers, configuration, manifest, index, and their upload.
pub mod image;
/// The images that the tests run, built once and kept below `target/`.
pub mod images;
/// A host of one's own, and a machine beside it.
pub mod lan;
/// What the host looks like, so that two looks can be compared.
pub mod leftovers;
/// A server of names that counts what it is asked.
pub mod names;
/// Network namespaces, and calls between them.
pub mod namespace;
/// Things between a client and the registry: connections that break, tokens that must be fetched.
pub mod network;
/// Servers of files: HTTP and git.
pub mod origins;
/// The built `phial` with a root of its own.
pub mod phial;
/// Children that never outlive their owner, and commands run to their end.
pub mod process;
/// A directory that is built.
pub mod project;
/// Projects that are built, as data.
pub mod projects;
/// A command on a pseudo-terminal, driven by what it prints.
pub mod pty;
/// Debian's `docker-registry` on a free port of loopback.
pub mod registry;
/// Servers that tell everybody who comes what address he has.
pub mod servers;
/// A program with an image in it: what most tests begin with.
pub mod stage;
/// The supervisors of containers, and how they end.
pub mod supervisor;

pub use failure::{Context, Failure, Result};
pub use phial::Phial;
pub use process::Output;
pub use project::Project;
pub use stage::Stage;

use std::path::PathBuf;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().map_or_else(|| package.clone(), PathBuf::from)
}

/// Where the build puts its output; what is kept between runs lives below it.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), |dir| workspace().join(dir))
}
