//! What crosses the wire: messages, fields and numbers of `solver/pb/ops.proto`, `BuildKit` 0.32. Maps are ordered, so that the
//! same message always has the same bytes, as in Go's deterministic encoding: digests depend on it.

/// Commands.
pub mod exec;
/// Changes of files.
pub mod file;

use std::collections::BTreeMap;

use prost::{Message, Oneof};

use exec::ExecOp;
use file::FileOp;

/// A graph: all operations, encoded, of which the last one is what is wanted and does nothing.
#[derive(Clone, PartialEq, Message)]
pub struct Definition {
    /// Operations, each after those that it uses.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub def: Vec<Vec<u8>>,
    /// What is said of each, by its digest, and is no part of it.
    #[prost(btree_map = "string, message", tag = "2")]
    pub metadata: BTreeMap<String, OpMetadata>,
    /// Where each of them comes from.
    #[prost(message, optional, tag = "3")]
    pub source: Option<Source>,
}

/// An operation.
#[derive(Clone, PartialEq, Message)]
pub struct Op {
    /// Results of others that it uses.
    #[prost(message, repeated, tag = "1")]
    pub inputs: Vec<Input>,
    /// What is done; nothing by the one that ends the graph.
    #[prost(oneof = "Kind", tags = "2, 3, 4, 5, 6, 7, 8")]
    pub op: Option<Kind>,
    /// For which platform.
    #[prost(message, optional, tag = "10")]
    pub platform: Option<Platform>,
    /// Who may do it.
    #[prost(message, optional, tag = "11")]
    pub constraints: Option<WorkerConstraints>,
}

impl Op {
    /// Its bytes, of which the digest is its name: as Go's encoding has them, where what an operation does comes last.
    pub fn encoded(&self) -> Vec<u8> {
        let others = Op { op: None, ..self.clone() };
        let what = Op { op: self.op.clone(), ..Op::default() };
        [others.encode_to_vec(), what.encode_to_vec()].concat()
    }
}

/// What an operation does.
#[derive(Clone, PartialEq, Oneof)]
pub enum Kind {
    /// Runs a command.
    #[prost(message, boxed, tag = "2")]
    Exec(Box<ExecOp>),
    /// Brings something in.
    #[prost(message, tag = "3")]
    Source(SourceOp),
    /// Changes files.
    #[prost(message, tag = "4")]
    File(FileOp),
    /// Solves a graph that another one has made.
    #[prost(message, tag = "5")]
    Build(BuildOp),
    /// Puts results upon each other.
    #[prost(message, tag = "6")]
    Merge(MergeOp),
    /// What one result has that another has not.
    #[prost(message, tag = "7")]
    Diff(DiffOp),
    /// Hands its inputs on.
    #[prost(message, tag = "8")]
    Passthrough(PassthroughOp),
}

/// A result of another operation.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Input {
    /// Which operation.
    #[prost(string, tag = "1")]
    pub digest: String,
    /// Which of its results.
    #[prost(int64, tag = "2")]
    pub index: i64,
}

/// A platform.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the fields are those of the OCI image specification")]
pub struct Platform {
    #[prost(string, tag = "1")]
    pub architecture: String,
    #[prost(string, tag = "2")]
    pub os: String,
    #[prost(string, tag = "3")]
    pub variant: String,
    #[prost(string, tag = "4")]
    pub os_version: String,
    #[prost(string, repeated, tag = "5")]
    pub os_features: Vec<String>,
}

/// Filters of whoever may do something.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WorkerConstraints {
    /// In containerd's language of filters.
    #[prost(string, repeated, tag = "1")]
    pub filter: Vec<String>,
}

/// Brings something in.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SourceOp {
    /// What: `docker-image://`, `local://`, `git://`, `https://`, `oci-layout://` and what follows.
    #[prost(string, tag = "1")]
    pub identifier: String,
    /// More about it.
    #[prost(btree_map = "string, string", tag = "2")]
    pub attrs: BTreeMap<String, String>,
}

/// Solves a graph that another one has made.
#[derive(Clone, PartialEq, Message)]
pub struct BuildOp {
    /// Who solves it: -1 for the builder itself.
    #[prost(int64, tag = "1")]
    pub builder: i64,
    /// Inputs by name.
    #[prost(btree_map = "string, message", tag = "2")]
    pub inputs: BTreeMap<String, InputNumber>,
    /// The graph, if it is not the content of an input.
    #[prost(message, optional, tag = "3")]
    pub def: Option<Definition>,
    /// More about it.
    #[prost(btree_map = "string, string", tag = "4")]
    pub attrs: BTreeMap<String, String>,
}

/// One of the operation's inputs.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct InputNumber {
    /// Which, or -1 for nothing.
    #[prost(int64, tag = "1")]
    pub input: i64,
}

/// Puts results upon each other.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MergeOp {
    /// The lowest first.
    #[prost(message, repeated, tag = "1")]
    pub inputs: Vec<InputNumber>,
}

/// What `upper` has that `lower` has not.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct DiffOp {
    #[prost(message, optional, tag = "1")]
    pub lower: Option<InputNumber>,
    #[prost(message, optional, tag = "2")]
    pub upper: Option<InputNumber>,
}

/// Hands its inputs on.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PassthroughOp {
    /// What tells it from others.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Which inputs are its results.
    #[prost(int64, repeated, tag = "2")]
    pub outputs: Vec<i64>,
}

/// What is said of an operation and is no part of it.
#[derive(Clone, PartialEq, Message)]
pub struct OpMetadata {
    /// Whether it is done although it was done before.
    #[prost(bool, tag = "1")]
    pub ignore_cache: bool,
    /// For people: `llb.customname` is what it is called.
    #[prost(btree_map = "string, string", tag = "2")]
    pub description: BTreeMap<String, String>,
    /// Whether its result goes into an exported cache.
    #[prost(message, optional, tag = "4")]
    pub export_cache: Option<ExportCache>,
    /// What whoever does it must be able to.
    #[prost(btree_map = "string, bool", tag = "5")]
    pub caps: BTreeMap<String, bool>,
    /// With which others it is shown.
    #[prost(message, optional, tag = "6")]
    pub progress_group: Option<ProgressGroup>,
    /// Limits of its processes.
    #[prost(message, optional, tag = "7")]
    pub linux_resources: Option<LinuxResources>,
}

/// Whether a result goes into an exported cache.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ExportCache {
    /// Whether.
    #[prost(bool, tag = "1")]
    pub value: bool,
}

/// Operations that are shown as one.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct ProgressGroup {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(bool, tag = "3")]
    pub weak: bool,
}

/// Limits of processes.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "fields and units are those of the OCI runtime specification")]
pub struct LinuxResources {
    #[prost(int64, tag = "1")]
    pub memory: i64,
    #[prost(int64, tag = "2")]
    pub memory_swap: i64,
    #[prost(uint64, tag = "3")]
    pub cpu_shares: u64,
    #[prost(uint64, tag = "4")]
    pub cpu_period: u64,
    #[prost(int64, tag = "5")]
    pub cpu_quota: i64,
    #[prost(string, tag = "6")]
    pub cpuset_cpus: String,
    #[prost(string, tag = "7")]
    pub cpuset_mems: String,
}

/// Where operations come from.
#[derive(Clone, PartialEq, Message)]
pub struct Source {
    /// By the digest of an operation: places in files.
    #[prost(btree_map = "string, message", tag = "1")]
    pub locations: BTreeMap<String, Locations>,
    /// The files.
    #[prost(message, repeated, tag = "2")]
    pub infos: Vec<SourceInfo>,
}

/// Places in files.
#[derive(Clone, PartialEq, Message)]
pub struct Locations {
    /// All of them.
    #[prost(message, repeated, tag = "1")]
    pub locations: Vec<Location>,
}

/// A file that a graph was made of.
#[derive(Clone, PartialEq, Message)]
pub struct SourceInfo {
    /// What it is called.
    #[prost(string, tag = "1")]
    pub filename: String,
    /// What it contains.
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
    /// How its content is found, if it is not here.
    #[prost(message, optional, tag = "3")]
    pub definition: Option<Definition>,
    /// Its language.
    #[prost(string, tag = "4")]
    pub language: String,
}

/// Places in one file.
#[derive(Clone, PartialEq, Message)]
pub struct Location {
    /// Which file.
    #[prost(int32, tag = "1")]
    pub source_index: i32,
    /// From where to where.
    #[prost(message, repeated, tag = "2")]
    pub ranges: Vec<Range>,
}

/// From somewhere to somewhere.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "the sentence above says it")]
pub struct Range {
    #[prost(message, optional, tag = "1")]
    pub start: Option<Position>,
    #[prost(message, optional, tag = "2")]
    pub end: Option<Position>,
}

/// A place in a file.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Position {
    /// The line; the first has the number 1.
    #[prost(int32, tag = "1")]
    pub line: i32,
    /// The character in it; the first has the number 0.
    #[prost(int32, tag = "2")]
    pub character: i32,
}
