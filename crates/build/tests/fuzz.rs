//! Whatever a client sends as a definition, it is a graph that keeps what it promises, or it is refused.
//!
//! A fuzz target of bolero. In an ordinary run it tries a bounded number of inputs; CONTRIBUTING.md says how to let it run
//! for longer.

use bolero::TypeGenerator;
use build::llb::Graph;
use build::llb::message::{Definition, Input, Kind, MergeOp, Op, SourceOp};
use prost::Message;
use store::Digest;

/// Inputs of one run of the tests.
const ITERATIONS: usize = 5000;

/// An operation as somebody may send it.
#[derive(Debug, Clone, TypeGenerator)]
enum Sent {
    Bytes(Vec<u8>),
    Source(String),
    /// Uses operations before it, counted from the last, or ones that are nowhere.
    Uses(Vec<(u8, i64)>),
    /// Does nothing but that.
    Ends(Vec<(u8, i64)>),
}

fn definition(sent: &[Sent]) -> Definition {
    let mut def: Vec<Vec<u8>> = Vec::new();
    for sent in sent {
        let inputs = |uses: &[(u8, i64)]| {
            let digest = |back: u8| {
                let used = def.len().checked_sub(1 + usize::from(back) % 4).and_then(|number| def.get(number));
                used.map_or_else(|| Digest::of(&[back]), |bytes| Digest::of(bytes)).to_string()
            };
            uses.iter().map(|(back, index)| Input { digest: digest(*back), index: *index % 3 }).collect()
        };
        def.push(match sent {
            Sent::Bytes(bytes) => bytes.clone(),
            Sent::Source(identifier) => {
                let source = SourceOp { identifier: identifier.clone(), ..SourceOp::default() };
                Op { op: Some(Kind::Source(source)), ..Op::default() }.encode_to_vec()
            }
            Sent::Uses(uses) => {
                Op { inputs: inputs(uses), op: Some(Kind::Merge(MergeOp::default())), ..Op::default() }.encode_to_vec()
            }
            Sent::Ends(uses) => Op { inputs: inputs(uses), ..Op::default() }.encode_to_vec(),
        });
    }
    Definition { def, ..Definition::default() }
}

#[test]
fn a_graph_keeps_what_it_promises() {
    bolero::check!().with_iterations(ITERATIONS).with_type::<Vec<Sent>>().for_each(|sent| {
        let definition = definition(sent);
        match Graph::read(&definition) {
            Err(refused) => assert!(!refused.to_string().is_empty()),
            Ok(graph) => {
                for (number, vertex) in graph.vertices.iter().enumerate() {
                    assert_eq!(vertex.digest, Digest::of(&definition.def[number]));
                    assert!(vertex.inputs.iter().all(|(input, _)| *input < number));
                }
                assert!(graph.result.is_none_or(|(vertex, _)| graph.needed().contains(&vertex)));
            }
        }
    });
}

#[test]
fn bytes_in_place_of_a_definition() {
    bolero::check!().with_iterations(ITERATIONS).for_each(|bytes: &[u8]| {
        if let Ok(definition) = Definition::decode(bytes) {
            let _ = Graph::read(&definition);
        }
    });
}
