//! From a request to a supervised container: what is behind `phial run`, `exec`, `ps` and the rest.
//!
//! Everything is synchronous and without a daemon: a command opens the [`Engine`], does its work on the shared store,
//! and leaves. What must outlive it lives in the container's supervisor, a process of its own, which the engine starts
//! and talks to in the frames of `runtime::protocol`. All that isolates a container is computed as one OCI
//! configuration by a pure function (`spec`); this crate mounts nothing and enters no namespace.

/// The handle everything starts from.
mod engine;
/// One opaque error with a [`kind`](Error::kind), a hint, and docker's exit code.
mod error;

/// Docker's flags as typed data, and their parsers.
pub mod config;
/// Configuration, image and host to an OCI configuration: pure.
mod spec;

/// Containers: made, started, looked at, and what happens to them until they are removed.
mod containers;
/// Images: pulled, made, found, listed, moved, removed.
mod images;
/// Volumes: made, filled, mounted, removed.
mod volumes;

/// Networks: made, listed, removed, and containers on them.
mod networks;

/// Files of containers: `cp`, `export`, `diff`.
mod archive;
/// What a container has written.
mod logs;
/// Terminal on this side, supervisor on the other, and everything that goes between them.
pub mod session;

/// What happens is told, for whoever wants to know.
pub mod events;
/// This host and the store as a whole.
mod host;
/// The JSON of `inspect`.
mod inspect;
/// From words to values and back. Pure.
mod words;

pub use archive::{Change, ChangeKind, Copied, CopyOptions, End, mounted_tree};
pub use config::{ContainerConfig, ExecConfig};
pub use containers::create::{Created, Unstarted};
pub use containers::lifecycle::{
    CONTAINER_PRUNE_FILTERS, Container, Outcome, Pruned, RemoveOptions, State, StopOptions, Update,
    VOLUME_PRUNE_FILTERS,
};
pub use containers::ps::line::ContainerSummary;
pub use containers::ps::{CONTAINER_FILTERS, CONTAINER_STATES, ListOptions};
pub use containers::stats::Sample;
pub use containers::step::{Access, Forward, RunningStep, StepCommand, StepFile, StepSocket, StepTree, owner_in};
pub use containers::top::Processes;
pub use engine::{Engine, Options};
pub use error::{Error, ErrorKind, Result};
pub use host::cdi::has_cdi_device;
pub use host::check::{CheckOptions, CheckReport, Problem, check};
pub use host::df::{DiskUsage, KindUsage};
pub use host::info::{Info, VERSION, Version};
pub use images::builtin;
pub use images::commit::CommitOptions;
pub use images::history::HistoryStep;
pub use images::import::ImportOptions;
pub use images::list::{IMAGE_FILTERS, ImageListOptions, ImageSummary, ImageUsage};
pub use images::made::BuiltImage;
pub use images::manifest_lists::{Annotation, Inspected, ManifestList};
pub use images::mounts::MountedImage;
pub use images::prune::{IMAGE_PRUNE_FILTERS, PrunedImages};
pub use images::registry::PushRequest;
pub use images::saved::LoadedImage;
pub use images::{PullPolicy, RemovedImage};
pub use logs::{LogEntry, LogOptions, Stream};
pub use networks::{
    ConnectOptions, NETWORK_FILTERS, NETWORK_PRUNE_FILTERS, NetworkConfig, NetworkSummary, TraceOptions,
};
pub use volumes::{VOLUME_FILTERS, VolumeConfig, VolumeSummary, VolumeUsage};
pub use words::ago::ago;
pub use words::filter::Filters;
pub use words::when::zone;

/// An error of another library in one line.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}
