//! From a Dockerfile to an image, over a graph that others can make and solve as well.
//!
//! [`frontend`] makes a graph of a Dockerfile, the solver finds out which of its operations were done before and does the
//! others, each straight on the layers of those that it uses, and what comes out of it is exported. The graph is
//! `BuildKit`'s (LLB): whoever speaks it can send one here, and what is made here can be looked at with their tools.
//!
//! Everything that a build reads is a stranger's: the Dockerfile, the context, images, and what is at an address. Paths of
//! theirs are resolved below a root, by descriptor (`fsroot`), and nothing that they say is run but in a container.

/// From options to what was asked for.
mod building;
/// Directories that files are taken from.
mod context;
/// Why a build did not come to its end.
mod error;
/// Why a step is done anew.
mod explain;
/// What becomes of a result.
mod export;
/// Changes of files: what `ADD`, `COPY` and `WORKDIR` do.
mod files;
/// Programs of other processors.
mod foreign;
/// From what a Dockerfile means to a graph and a configuration.
pub mod frontend;
/// A build as a picture.
pub mod graph;
/// The images that builds begin with.
mod images;
/// What a step is made of.
mod inputs;
/// The graph: what is done to which results, and in what order.
pub mod llb;
/// What is asked for.
mod options;
/// What a Dockerfile offers and what looks wrong in it, without building it.
pub mod outline;
/// What happens, while it happens.
pub mod progress;
/// How far pulls are.
mod pulls;
/// What other hosts have done, and what is left for them.
mod remote;
/// Who is told what happens.
mod report;
/// What is in an image.
mod scan;
/// Which operations were done before, and the others.
mod solve;
/// Where contexts come from.
mod source;
/// The Dockerfile and the contexts of a build.
mod sources;
/// What is made to be mounted on.
mod stubs;
/// What commands may have.
mod surroundings;
/// Trees of files as layers.
mod tree;

/// What the cache takes, and making room in it.
mod usage;

pub use building::{build, check_front_end};
pub use error::{Error, ErrorKind, Result};
pub use options::{
    Agent, AttestationRequest, CacheOption, Context, Dockerfile, Export, Limits, NamedContext, Options, Secret,
    SecretSource,
};
pub use sources::{NearFile, near_file};
pub use usage::{CACHE_KINDS, CacheRecord, PruneOptions, Pruned, prune, usage};

/// What a build has made.
#[derive(Debug, Clone, Default)]
pub struct Built {
    /// The image's id (`sha256:…`, the digest of its configuration), if there is one image.
    pub image: Option<String>,
    /// What is known of it (`--metadata-file`), by buildx's names: `containerimage.digest` and so on.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}
