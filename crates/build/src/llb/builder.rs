//! Makes definitions: operations are added one after another, and each is there once.

use std::collections::BTreeMap;

use store::Digest;

use super::message::{
    Definition, Input, Kind, Location, Locations, Op, OpMetadata, Platform, Source, SourceInfo, WorkerConstraints,
};

/// What an operation is called for people.
pub(crate) const NAME: &str = "llb.customname";

/// What is said of an operation that is called so.
pub(crate) fn called(name: impl Into<String>) -> OpMetadata {
    OpMetadata { description: BTreeMap::from([(NAME.to_owned(), name.into())]), ..OpMetadata::default() }
}

/// An operation that anybody may do.
pub(crate) fn operation(kind: Kind, platform: Option<&Platform>) -> Op {
    Op { op: Some(kind), platform: platform.cloned(), constraints: Some(WorkerConstraints::default()), ..Op::default() }
}

/// A result of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Which operation.
    pub digest: Digest,
    /// Which of its results.
    pub index: u32,
}

impl Output {
    /// As an input of another one.
    pub fn input(self) -> Input {
        Input { digest: self.digest.to_string(), index: i64::from(self.index) }
    }
}

/// A graph that is being made.
#[derive(Debug, Default)]
pub struct Builder {
    operations: Vec<Vec<u8>>,
    metadata: BTreeMap<String, OpMetadata>,
    source: Source,
    place: Option<Location>,
}

impl Builder {
    /// A graph whose operations come from places in these files.
    pub fn new(files: Vec<SourceInfo>) -> Builder {
        Builder { source: Source { infos: files, ..Source::default() }, ..Builder::default() }
    }

    /// From here on operations come from this place.
    pub fn at(&mut self, place: Location) {
        self.place = Some(place);
    }

    /// Adds an operation whose inputs were added before, and says what its first result is. One that is there already is not
    /// added once more, but the place where it is wanted again is.
    pub fn add(&mut self, operation: &Op, metadata: OpMetadata) -> Output {
        let bytes = operation.encoded();
        let digest = Digest::of(&bytes);
        let name = digest.to_string();
        if !self.metadata.contains_key(&name) {
            self.operations.push(bytes);
            self.metadata.insert(name.clone(), metadata);
        }
        if let Some(place) = &self.place {
            let Locations { locations } = self.source.locations.entry(name).or_default();
            if !locations.contains(place) {
                locations.push(place.clone());
            }
        }
        Output { digest, index: 0 }
    }

    /// The graph whose result is this one; without any, an empty one, whose result is an empty file system.
    pub fn finish(mut self, result: Option<Output>) -> Definition {
        if let Some(result) = result {
            self.operations.push(Op { inputs: vec![result.input()], ..Op::default() }.encoded());
        }
        Definition { def: self.operations, metadata: self.metadata, source: Some(self.source) }
    }
}
