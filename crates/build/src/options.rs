//! What is asked for: docker's and buildx's options of `build` as data. Reads nothing, and knows no command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::config::{ExtraHost, Ulimit};
use image::Platform;

/// Everything that a build is asked for.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, which is there or not")]
pub struct Options {
    /// Where files come from that `ADD` and `COPY` take.
    pub context: Context,
    /// `-f`.
    pub dockerfile: Dockerfile,
    /// `--target`: a stage by its name or number; the last one otherwise.
    pub target: Option<String>,
    /// `-t`: what the image is called.
    pub tags: Vec<String>,
    /// `--build-arg`, with the values that are not left to the environment.
    pub build_args: BTreeMap<String, String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--annotation`: of the manifest, or of what stands before the key (`index:KEY`, `manifest-descriptor:KEY`).
    pub annotations: BTreeMap<String, String>,
    /// `--no-cache`.
    pub no_cache: bool,
    /// `--no-cache-filter`: names of stages.
    pub no_cache_stages: Vec<String>,
    /// `--pull`: registries are asked although images are here.
    pub pull: bool,
    /// `--secret`.
    pub secrets: Vec<Secret>,
    /// `--ssh`.
    pub agents: Vec<Agent>,
    /// `--build-context`.
    pub named_contexts: Vec<NamedContext>,
    /// `--cache-from`.
    pub cache_from: Vec<CacheOption>,
    /// `--cache-to`.
    pub cache_to: Vec<CacheOption>,
    /// `--output`; without any, the image is listed in the store.
    pub exports: Vec<Export>,
    /// `--platform`: what it is built for; this host otherwise.
    pub platforms: Vec<Platform>,
    /// `--add-host`.
    pub extra_hosts: Vec<ExtraHost>,
    /// `--network`: `default`, `none`, `host`, or one of our networks.
    pub network: Option<String>,
    /// `--ulimit`.
    pub ulimits: Vec<Ulimit>,
    /// `--shm-size`, bytes.
    pub shm_size: Option<u64>,
    /// `--cgroup-parent`.
    pub cgroup_parent: Option<String>,
    /// What a command may use up.
    pub limits: Limits,
    /// `--allow`: `security.insecure`, `network.host`, `device`.
    pub allowed: Vec<String>,
    /// `--provenance`, if it is asked for.
    pub provenance: Option<AttestationRequest>,
    /// `--sbom`, if it is asked for.
    pub sbom: Option<AttestationRequest>,
    /// `--explain`: why each step was done anew or was not.
    pub explain: bool,
    /// `--on-error=shell`: a shell in what a failed command has left. The names of programs that are tried.
    pub shell_on_error: bool,
}

/// What each command of a build may use up, in docker's units. What is not said has no limit of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// `--memory`, bytes.
    pub memory: Option<u64>,
    /// `--memory-swap`: memory and swap together, bytes; -1 is no limit.
    pub memory_swap: Option<i64>,
    /// `--cpu-shares`.
    pub cpu_shares: Option<u64>,
    /// `--cpu-period`, microseconds.
    pub cpu_period: Option<u64>,
    /// `--cpu-quota`, microseconds; -1 is no limit.
    pub cpu_quota: Option<i64>,
    /// `--cpuset-cpus`, such as `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// `--cpuset-mems`, such as `0,1`.
    pub cpuset_mems: Option<String>,
}

/// Where the files of a build come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Context {
    /// There are none: the Dockerfile is all (`-` with a Dockerfile in it).
    #[default]
    Nothing,
    /// A directory of this host.
    Directory(PathBuf),
    /// An archive on standard input (`-`), or a Dockerfile alone.
    Stdin,
    /// An archive, or a Dockerfile alone, at an address.
    Url(String),
    /// A repository, as docker writes it: `https://host/repository.git#ref:directory`.
    Git(String),
}

/// Where the Dockerfile is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Dockerfile {
    /// `Dockerfile` in the context.
    #[default]
    Default,
    /// A file of this host, or of a context that is none of this host's directories.
    File(PathBuf),
    /// Standard input (`-f -`).
    Stdin,
}

/// Something that commands may know and nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is called.
    pub id: String,
    /// Where it is.
    pub source: SecretSource,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

/// Keys that commands may use: the socket of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// What it is called; `default` if nobody says.
    pub id: String,
    /// Its socket; that of `SSH_AUTH_SOCK` otherwise.
    pub socket: Option<PathBuf>,
}

/// `--build-context NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedContext {
    /// What `FROM` and `--from` call it.
    pub name: String,
    /// A directory, `docker-image://…`, `oci-layout://…`, or an address.
    pub value: String,
}

/// `--cache-from` and `--cache-to`: `type=registry,ref=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOption {
    /// `registry`, `local` or `inline`.
    pub kind: String,
    /// The rest.
    pub attributes: BTreeMap<String, String>,
}

/// `--output`: what becomes of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Export {
    /// An image of the store.
    Image {
        /// What it is called besides the tags.
        names: Vec<String>,
        /// Whether it is pushed.
        push: bool,
        /// Whether it is listed here.
        store: bool,
        /// The rest: `compression`, `oci-mediatypes`, `rewrite-timestamp` and so on.
        attributes: BTreeMap<String, String>,
    },
    /// An image in a file: OCI's layout if `oci`, docker's archive otherwise.
    Archive {
        /// Which of the two.
        oci: bool,
        /// The file, or a directory for one that is not packed; standard output otherwise.
        to: Option<PathBuf>,
        /// Whether it is packed.
        tar: bool,
        /// The rest.
        attributes: BTreeMap<String, String>,
    },
    /// The files, in a directory.
    Local {
        /// Which.
        to: PathBuf,
        /// The rest: `platform-split`, `mode`.
        attributes: BTreeMap<String, String>,
    },
    /// The files, in an archive.
    Tar {
        /// The file; standard output otherwise.
        to: Option<PathBuf>,
    },
    /// Nothing: what is made stays in the cache.
    CacheOnly,
}

impl Options {
    /// Whether a predefined argument of builds says yes, as `BUILDKIT_INLINE_CACHE=1` does.
    pub(crate) fn says_yes(&self, argument: &str) -> bool {
        self.build_args.get(argument).and_then(|value| notation::truth(value)).unwrap_or_default()
    }

    /// Whether the result is laid out as one for several platforms.
    pub(crate) fn has_several_platforms(&self) -> bool {
        self.platforms.len() > 1 || self.says_yes("BUILDKIT_MULTI_PLATFORM")
    }

    /// Whether what leaves this host is an index, around several images or around one and what is said of it.
    pub(crate) fn has_index(&self) -> bool {
        self.has_several_platforms() || self.provenance.is_some() || self.sbom.is_some()
    }
}

/// `--provenance` and `--sbom`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttestationRequest {
    /// `mode`, `version`, `generator` and so on.
    pub attributes: BTreeMap<String, String>,
}
