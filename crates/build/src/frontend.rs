//! The front end for Dockerfiles: what one means for a build becomes a graph, and the configuration of an image.
//!
//! Pure. What is at an address is not looked at, and what images are is asked of whoever knows it ([`Images`]). Operations are
//! those that `BuildKit`'s own front end makes of the same file, field by field, so that a cache knows them whoever made them.

/// What contexts are.
mod context;
/// `ADD` and `COPY`.
mod copy;
/// What is said of how an image came to be.
mod history;
/// `RUN`.
mod run;
/// What comes from outside.
mod source;
/// A stage while it is made.
mod stage;

use std::collections::BTreeMap;

use dockerfile::Error;
use dockerfile::evaluate::Evaluated;
use image::{Config, History, ImageConfig};

use crate::llb::message::exec::{HostIp, NetMode, ProxyEnv, Ulimit};
use crate::llb::message::{Definition, Platform, SourceInfo};
use crate::llb::{Builder, Output};
use stage::SoFar;

pub use context::ContextKind;

/// Result of this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a build says besides its Dockerfile.
pub struct Request<'a> {
    /// What the Dockerfile is called.
    pub filename: &'a str,
    /// What stands in it.
    pub file: &'a [u8],
    /// What the image is for.
    pub platform: Platform,
    /// Whoever knows images.
    pub images: &'a dyn Images,
    /// Which stages are made anew whatever was made before.
    pub no_cache: NoCache,
    /// How commands run.
    pub surroundings: Surroundings,
    /// What the build's own context is.
    pub context: &'a ContextKind,
    /// What named contexts are, by the names that [`Inputs::named_contexts`](dockerfile::evaluate::Inputs) has.
    pub named_contexts: &'a BTreeMap<String, ContextKind>,
}

/// How all commands of a build run.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Whom they reach, unless they say it themselves.
    pub network: Option<NetMode>,
    /// Names of hosts.
    pub extra_hosts: Vec<HostIp>,
    /// What the host is called.
    pub hostname: String,
    /// Limits of processes.
    pub ulimits: Vec<Ulimit>,
    /// How much shared memory there is, in bytes, if that is said.
    pub shm_size: Option<u64>,
    /// The cgroup that theirs are below.
    pub cgroup_parent: String,
    /// How others are reached.
    pub proxy: Option<ProxyEnv>,
    /// What tells cache mounts of this build from those of others that are called the same.
    pub cache_namespace: String,
}

/// Which stages are made anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NoCache {
    /// None.
    #[default]
    Nothing,
    /// All.
    Everything,
    /// Those with these names.
    Stages(Vec<String>),
}

/// Whoever knows images.
pub trait Images {
    /// The image that a name means on a platform.
    ///
    /// # Errors
    /// In words, if there is none.
    fn image(&self, name: &str, platform: &Platform) -> Result<Found, String>;

    /// The image that is in a directory (`PATH[:TAG][@DIGEST]`, as it stands after `oci-layout://`). Its reference is
    /// `NAME@DIGEST`.
    ///
    /// # Errors
    /// In words, if there is none.
    fn layout(&self, place: &str, platform: &Platform) -> Result<Found, String>;
}

/// An image.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its whole name, with its digest where that is known.
    pub reference: String,
    /// What it says.
    pub config: ImageConfig,
}

/// What a Dockerfile has become.
#[derive(Debug, Clone)]
pub struct Converted {
    /// The graph whose result is the image's file system.
    pub definition: Definition,
    /// What a container of the image starts with.
    pub config: Config,
    /// Who made it, if that is said.
    pub author: Option<String>,
    /// How it came to be.
    pub history: Vec<History>,
    /// What it is for.
    pub platform: Platform,
}

/// Makes a graph.
///
/// # Errors
/// `Meaning` with the lines, for what an instruction cannot do.
pub fn convert(evaluated: &Evaluated, request: &Request<'_>) -> Result<Converted> {
    let data = request.file.to_vec();
    let info =
        SourceInfo { filename: request.filename.to_owned(), data, language: "Dockerfile".to_owned(), definition: None };
    let mut conversion = Conversion {
        builder: Builder::new(vec![info]),
        request,
        context: context::paths(evaluated, &context::Which::Own),
        named: request
            .named_contexts
            .keys()
            .map(|name| (name.clone(), context::paths(evaluated, &context::Which::Named(name))))
            .collect(),
        stages: evaluated.stages.len(),
        done: BTreeMap::new(),
    };
    for stage in &evaluated.stages {
        let made = conversion.stage(stage)?;
        conversion.done.insert(stage.number, made);
    }
    let wanted = evaluated.stages.get(evaluated.target).map(|stage| stage.number).unwrap_or_default();
    let SoFar { output, changed, author, history, result: platform, .. } =
        conversion.done.remove(&wanted).unwrap_or_else(|| SoFar::empty(request.platform.clone()));
    let definition = conversion.builder.finish(output);
    Ok(Converted { definition, config: changed.config, author, history, platform })
}

/// A graph that is being made.
struct Conversion<'a> {
    builder: Builder,
    request: &'a Request<'a>,
    /// What of the context is used; without any, all of it is.
    context: Vec<String>,
    /// The same of named contexts.
    named: BTreeMap<String, Vec<String>>,
    /// How many stages there are.
    stages: usize,
    /// Stages by their numbers in the file.
    done: BTreeMap<usize, SoFar>,
}

/// A file system, or nothing.
type Files = Option<Output>;

#[cfg(test)]
mod tests;
