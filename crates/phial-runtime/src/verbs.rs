//! What each verb does, one file each; what several need is in files of its own.

/// The cgroups of a new container.
mod cgroups;
/// `checkpoint`.
pub(crate) mod checkpoint;
/// `create`.
pub(crate) mod create;
/// Who writes processes into files.
mod criu;
/// `delete`.
pub(crate) mod delete;
/// `events`.
pub(crate) mod events;
/// `exec`.
pub(crate) mod exec;
/// `features`.
pub(crate) mod features;
/// Programs that a configuration wants to be run, on the host.
pub(crate) mod hooks;
/// `kill`.
pub(crate) mod kill;
/// `list`.
pub(crate) mod list;
/// Handing the listener of a filter of system calls over.
mod listener;
/// Making a container's process, which `create` and `run` do alike.
mod make;
/// What the caller gets of a process besides its status: pid file, pidfd, terminal.
mod notify;
/// What of a container comes from outside, and stays there while it is in files.
mod outside;
/// `pause` and `resume`.
pub(crate) mod pause;
/// `plan`.
pub(crate) mod plan;
/// `ps`.
pub(crate) mod ps;
/// `restore`.
pub(crate) mod restore;
/// Roots of containers that share the host's mounts.
mod root_mount;
/// `run`.
pub(crate) mod run;
/// `spec`.
pub(crate) mod spec;
/// `start`.
pub(crate) mod start;
/// `state`.
pub(crate) mod state;
/// Staying with a process in the foreground: signals, terminal, status.
mod stay;
/// What is done, with the time that it took.
mod trace;
/// `update`.
pub(crate) mod update;

/// The version of the runtime specification that configurations are read by.
pub(crate) const SPEC_VERSION: &str = "1.3.0";
