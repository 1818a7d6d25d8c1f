//! Containers: made, started, looked at, and what happens to them until they are removed.

/// A container's directories, files and row.
pub(crate) mod create;
/// The three files of a container below /etc: pure.
pub(crate) mod etc_files;
/// Further processes in it, and the streams of the first.
mod exec;
/// What every container mounts on, a layer of its own.
mod init_layer;
/// Whose namespaces a container shares.
mod joins;
/// Its state; signals, waiting, stopping, removing.
pub(crate) mod lifecycle;
/// Which containers `ps` lists, and what it shows of them.
pub(crate) mod ps;
/// A container that exists, ready to be started.
mod ready;
/// A supervisor told to start it.
mod start;
/// What it uses.
pub(crate) mod stats;
/// Commands that builds run: containers without a row.
pub(crate) mod step;
/// Its supervisor, which can be started before the container is there.
pub(crate) mod supervisor;
/// Its processes.
pub(crate) mod top;
