//! What comes from outside: images, the build's context, and what is at an address.

use std::collections::{BTreeMap, BTreeSet};

use dockerfile::evaluate::{Evaluated, Origin};
use dockerfile::instruction::MountKind;
use dockerfile::{Kind, path};

use super::Conversion;
use crate::llb::Output;
use crate::llb::message::{Kind as Operation, Location, Op, OpMetadata, Platform, SourceOp, WorkerConstraints};

/// What an operation is called for people.
const NAME: &str = "llb.customname";

/// What is said of an operation that is called so.
pub(super) fn called(name: impl Into<String>) -> OpMetadata {
    OpMetadata { description: BTreeMap::from([(NAME.to_owned(), name.into())]), ..OpMetadata::default() }
}

/// An operation that anybody may do.
pub(super) fn operation(kind: Operation, platform: Option<&Platform>) -> Op {
    Op { op: Some(kind), platform: platform.cloned(), constraints: Some(WorkerConstraints::default()), ..Op::default() }
}

impl Conversion<'_> {
    /// An image.
    pub(super) fn image(&mut self, reference: &str, platform: &Platform, place: Option<Location>) -> Output {
        let source = SourceOp { identifier: format!("docker-image://{reference}"), attrs: BTreeMap::new() };
        let operation = operation(Operation::Source(source), Some(platform));
        self.builder.add(&operation, called(format!("FROM {reference}")), place)
    }

    /// The build's own context, or as much of it as is used.
    pub(super) fn context(&mut self) -> Output {
        let mut attrs = BTreeMap::from([("local.sharedkeyhint".to_owned(), "context".to_owned())]);
        if !self.context.is_empty() {
            let paths = serde_json::Value::from(self.context.clone()).to_string();
            attrs.insert("local.followpaths".to_owned(), paths);
        }
        let source = SourceOp { identifier: "local://context".to_owned(), attrs };
        let operation = operation(Operation::Source(source), None);
        self.builder.add(&operation, called("[internal] load build context"), None)
    }

    /// What is at an address, as a file of this name.
    pub(super) fn address(&mut self, address: &str, name: &str, checksum: Option<&str>) -> Output {
        let mut attrs = BTreeMap::from([("http.filename".to_owned(), name.to_owned())]);
        attrs.extend(checksum.map(|checksum| ("http.checksum".to_owned(), checksum.to_owned())));
        let source = SourceOp { identifier: address.to_owned(), attrs };
        let operation = operation(Operation::Source(source), None);
        self.builder.add(&operation, called(address), None)
    }
}

/// Whether a source of `ADD` is an address.
pub(super) fn is_address(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// Which paths of the context are used. None are given if all of it is.
pub(super) fn context_paths(evaluated: &Evaluated) -> Vec<String> {
    let mut paths = BTreeSet::new();
    for step in evaluated.stages.iter().flat_map(|stage| &stage.steps) {
        let placement = match &step.instruction.kind {
            Kind::Add(add) => Some(&add.placement),
            Kind::Copy(copy) if step.origin == Some(Origin::Context) => Some(&copy.placement),
            _ => None,
        };
        let sources = placement.into_iter().flat_map(|placement| &placement.sources);
        paths.extend(sources.filter(|source| !is_address(source)).map(|source| path::below("/", source)));
        for (mount, origin) in &step.mounts {
            if let (MountKind::Bind { source, .. }, Origin::Context) = (&mount.kind, origin) {
                paths.insert(path::below("/", source.as_deref().unwrap_or_default()));
            }
        }
    }
    if paths.contains("/") {
        return Vec::new();
    }
    paths.into_iter().map(|path| path.trim_start_matches('/').to_owned()).collect()
}
