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
/// The three files of a container below /etc: pure.
mod files;
/// Files of an image, read from its layers as overlayfs would merge them.
mod lookup;
/// Configuration, image and host to an OCI configuration: pure.
mod spec;

/// Files of containers: `cp`, `export`, `diff`.
mod archive;
/// Images that are made on this host.
pub mod builtin;
/// Devices that specifications of vendors describe.
mod cdi;
/// Whether the store is whole, and what is done if not.
mod check;
/// A container's directories, files and row.
mod create;
/// What `system df` tells.
mod disk_usage;
/// Making images durable while nobody waits.
mod durable;
/// What happens is told, for whoever wants to know.
pub mod events;
/// Further processes in it, and the streams of the first.
mod exec;
/// `--filter`.
mod filter;
/// Which images `images` lists.
mod image_list;
/// Finding, listing and removing images.
mod images;
/// Whose namespaces a container shares.
mod joins;
/// Its state; signals, waiting, stopping, removing.
mod lifecycle;
/// Which containers `ps` lists.
mod list;
/// What it has written.
mod logs;
/// Lists of manifests in the making.
mod manifests;
/// The supervisor's program, in sealed memory.
mod program;
/// A container that exists, ready to be started.
mod ready;
/// Pulling and pushing images.
mod registry;
/// Terminal on this side, supervisor on the other, and everything that goes between them.
pub mod session;
/// Which name was meant.
mod similar;
/// Its supervisor.
mod start;
/// What it uses.
mod stats;

/// Volumes: made, filled, mounted, removed.
mod volumes;

/// Times in words.
mod ago;
/// Patterns with stars.
mod glob;
/// The JSON of `inspect`.
mod inspect;
/// The lines of `ps`.
mod summary;
/// `info` and `version`.
mod system;
/// The processes of a container.
mod top;
/// How much room a tree takes.
mod usage;
/// Points in time.
mod when;

pub use ago::ago;
pub use archive::{Change, ChangeKind, Copied, CopyOptions, End};
pub use check::{CheckOptions, CheckReport, Problem, check};
pub use config::{ContainerConfig, ExecConfig};
pub use create::{Created, Unstarted};
pub use disk_usage::{DiskUsage, ImageUsage, KindUsage, VolumeUsage};
pub use engine::{Engine, Options};
pub use error::{Error, ErrorKind, Result};
pub use filter::Filters;
pub use image_list::{IMAGE_FILTERS, ImageListOptions, ImageSummary};
pub use images::history::HistoryStep;
pub use images::made::{CommitOptions, ImportOptions};
pub use images::mounts::MountedImage;
pub use images::prune::{IMAGE_PRUNE_FILTERS, PrunedImages};
pub use images::saved::LoadedImage;
pub use images::{PullPolicy, RemovedImage};
pub use lifecycle::{
    CONTAINER_PRUNE_FILTERS, Container, Outcome, Pruned, RemoveOptions, State, StopOptions, Update,
    VOLUME_PRUNE_FILTERS,
};
pub use list::{CONTAINER_FILTERS, ListOptions};
pub use logs::{LogEntry, LogOptions, Stream};
pub use manifests::{Annotation, Inspected, ManifestList};
pub use registry::PushRequest;
pub use similar::similar;
pub use stats::Sample;
pub use summary::ContainerSummary;
pub use system::{Info, VERSION, Version};
pub use top::Processes;
pub use volumes::{VOLUME_FILTERS, VolumeConfig, VolumeSummary};

/// An error of another library in one line.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}
