//! Takes definitions apart, and refuses those that do not keep what they promise.

use std::collections::HashMap;
use std::fmt::{self, Display};

use prost::Message;
use store::Digest;

use super::builder::Output;
use super::check::check;
use super::message::{Definition, Op, OpMetadata};

/// More operations are refused: nobody writes that many, and each costs memory and time.
const MOST_OPERATIONS: usize = 100_000;

/// An operation, with its inputs by their numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Vertex {
    /// What it is called: the SHA-256 of its bytes.
    pub digest: Digest,
    /// What it does.
    pub operation: Op,
    /// Which results of which vertices it uses: numbers of vertices before it, and of their results.
    pub inputs: Vec<(usize, u32)>,
    /// What is said of it.
    pub metadata: OpMetadata,
}

/// A graph that keeps what it promises: each vertex stands after those that it uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// All operations.
    pub vertices: Vec<Vertex>,
    /// What is wanted: a vertex and its result; none is an empty file system.
    pub result: Option<(usize, u32)>,
}

/// Why a definition is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(String);

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Graph {
    /// Takes a definition apart.
    ///
    /// # Errors
    /// For one that has no end, too many operations, bytes that are none or say what is not known, and inputs that are not before
    /// those who use them.
    pub fn read(definition: &Definition) -> Result<Graph, Refused> {
        let Some((last, operations)) = definition.def.split_last() else {
            return Ok(Graph { vertices: Vec::new(), result: None });
        };
        if operations.len() > MOST_OPERATIONS {
            let count = operations.len();
            return Err(Refused(format!("the definition has {count} operations, and {MOST_OPERATIONS} are taken")));
        }
        let mut known = HashMap::new();
        let mut vertices = Vec::with_capacity(operations.len());
        for (number, bytes) in operations.iter().enumerate() {
            let (digest, operation) = decode(number, bytes)?;
            if operation.op.is_none() {
                return Err(Refused(format!("operation {number} ({digest}) does nothing, and is not the last one")));
            }
            let inputs = inputs(&known, digest, &operation)?;
            check(&operation).map_err(|why| Refused(format!("operation {number} ({digest}) {why}")))?;
            let metadata = definition.metadata.get(&digest.to_string()).cloned().unwrap_or_default();
            known.insert(digest.to_string(), vertices.len());
            vertices.push(Vertex { digest, operation, inputs, metadata });
        }
        let (digest, end) = decode(operations.len(), last)?;
        let inputs = inputs(&known, digest, &end)?;
        match (end.op, inputs.as_slice()) {
            (None, [result]) => Ok(Graph { vertices, result: Some(*result) }),
            (None, _) => Err(Refused(format!("the last operation has {} inputs, and must have one", inputs.len()))),
            (Some(_), _) => Err(Refused("the last operation does something, and must only name the result".to_owned())),
        }
    }

    /// Whatever the result needs, and nothing else: numbers of vertices, in their order.
    pub fn needed(&self) -> Vec<usize> {
        let mut is_needed = vec![false; self.vertices.len()];
        let mut open: Vec<usize> = self.result.iter().map(|(vertex, _)| *vertex).collect();
        while let Some(vertex) = open.pop() {
            if !std::mem::replace(&mut is_needed[vertex], true) {
                open.extend(self.vertices[vertex].inputs.iter().map(|(input, _)| *input));
            }
        }
        (0..self.vertices.len()).filter(|vertex| is_needed[*vertex]).collect()
    }

    /// The same result of the same operation, in whichever graph it is.
    pub fn output(&self, (vertex, index): (usize, u32)) -> Output {
        Output { digest: self.vertices[vertex].digest, index }
    }
}

fn decode(number: usize, bytes: &[u8]) -> Result<(Digest, Op), Refused> {
    let digest = Digest::of(bytes);
    let operation = Op::decode(bytes)
        .map_err(|error| Refused(format!("operation {number} ({digest}) is not readable: {error}")))?;
    Ok((digest, operation))
}

fn inputs(known: &HashMap<String, usize>, digest: Digest, operation: &Op) -> Result<Vec<(usize, u32)>, Refused> {
    let input = |input: &super::message::Input| {
        let vertex = known.get(&input.digest).copied();
        let index = u32::try_from(input.index).ok();
        vertex.zip(index).ok_or_else(|| {
            Refused(format!(
                "operation {digest} uses {:?}, result {}, which is not before it",
                input.digest, input.index
            ))
        })
    };
    operation.inputs.iter().map(input).collect()
}

#[cfg(test)]
mod tests {
    use super::super::builder::Builder;
    use super::super::message::file::{Action, FileAction, FileOp, MakeDirectory};
    use super::super::message::{Input, Kind, Location, Platform, SourceInfo, SourceOp, WorkerConstraints};
    use super::*;

    fn image(name: &str) -> Op {
        let identifier = format!("docker-image://{name}");
        Op { op: Some(Kind::Source(SourceOp { identifier, ..SourceOp::default() })), ..Op::default() }
    }

    fn directory(path: &str, on: Output) -> Op {
        let made = MakeDirectory { path: path.to_owned(), mode: 0o755, timestamp: -1, ..MakeDirectory::default() };
        let action =
            FileAction { secondary_input: -1, action: Some(Action::MakeDirectory(made)), ..FileAction::default() };
        let operation = FileOp { actions: vec![action] };
        Op { inputs: vec![on.input()], op: Some(Kind::File(operation)), ..Op::default() }
    }

    /// Two directories on one image, of which the first is what is wanted.
    fn definition() -> Definition {
        let mut builder = Builder::new(vec![SourceInfo { filename: "Dockerfile".to_owned(), ..SourceInfo::default() }]);
        builder.at(Location::default());
        let base = builder.add(&image("a"), OpMetadata::default());
        let wanted = builder.add(&directory("/one", base), OpMetadata { ignore_cache: true, ..OpMetadata::default() });
        builder.add(&directory("/two", base), OpMetadata::default());
        builder.at(Location { source_index: 1, ..Location::default() });
        builder.add(&image("a"), OpMetadata::default());
        builder.finish(Some(wanted))
    }

    #[test]
    fn what_is_made_is_read() {
        let definition = definition();
        let graph = Graph::read(&definition).expect("it keeps what it promises");
        assert_eq!(graph.vertices.len(), 3, "the image is there once");
        assert_eq!((graph.result, graph.needed()), (Some((1, 0)), vec![0, 1]));
        assert_eq!(graph.vertices[1].inputs, [(0, 0)]);
        assert!(graph.vertices[1].metadata.ignore_cache && !graph.vertices[2].metadata.ignore_cache);
        let places = &definition.source.expect("it has some").locations[&graph.vertices[0].digest.to_string()];
        assert_eq!(places.locations.len(), 2, "and with both its places");
        assert_eq!(Graph::read(&Builder::default().finish(None)).expect("it is empty").result, None);
    }

    #[test]
    fn an_operation_has_the_bytes_that_go_gives_it() {
        let platform = Platform { os: "linux".to_owned(), architecture: "arm64".to_owned(), ..Platform::default() };
        let constraints = Some(WorkerConstraints::default());
        let operation = Op { platform: Some(platform), constraints, ..image("docker.io/library/a:latest") };
        let expected =
            b"\x52\x0e\x0a\x05arm64\x12\x05linux\x5a\x00\x1a\x2b\x0a\x29docker-image://docker.io/library/a:latest";
        assert_eq!(operation.encoded(), expected);
    }

    #[test]
    fn what_does_not_keep_what_it_promises_is_refused() {
        let change = |change: fn(&mut Definition)| {
            let mut definition = definition();
            change(&mut definition);
            Graph::read(&definition).expect_err("it is wrong").to_string()
        };
        assert!(change(|definition| definition.def.swap(0, 1)).contains("which is not before it"));
        assert!(change(|definition| drop(definition.def.remove(0))).contains("which is not before it"));
        assert!(change(|definition| drop(definition.def.pop())).contains("does something"));
        assert!(change(|definition| definition.def[1] = vec![0xff]).contains("operation 1"));
        assert!(change(|definition| definition.def[1].clear()).contains("does nothing"));
        assert!(change(|definition| definition.def.push(Vec::new())).contains("does nothing"));
        assert!(
            change(|definition| *definition.def.last_mut().expect("it has one") = Vec::new()).contains("has 0 inputs")
        );
        let negative = Op { inputs: vec![Input { digest: String::new(), index: -1 }], ..Op::default() };
        let definition = Definition { def: vec![negative.encode_to_vec()], ..Definition::default() };
        assert!(Graph::read(&definition).is_err());
    }
}
