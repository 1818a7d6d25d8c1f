//! The graph of a build as provenance tells it: each operation as JSON, with the names that Go's encoding of the protocol has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::llb::message::exec::{ExecOp, MountType, NetMode, SecurityMode};
use crate::llb::message::file::{Action, FileOp};
use crate::llb::message::{Kind, Location, Position};
use crate::llb::{Graph, Vertex};
use crate::source::without_credentials;

/// All steps, and which digest each has.
pub(super) fn all(graph: &Graph) -> Value {
    let mut steps = Vec::new();
    let mut mapping = Map::new();
    for (number, vertex) in graph.vertices.iter().enumerate() {
        mapping.insert(vertex.digest.to_string(), json!(format!("step{number}")));
        let mut step = json!({"id": format!("step{number}"), "op": operation(vertex)});
        if !vertex.inputs.is_empty() {
            step["inputs"] = vertex.inputs.iter().map(|(input, index)| json!(format!("step{input}:{index}"))).collect();
        }
        steps.push(step);
    }
    if let Some((vertex, index)) = graph.result {
        let last = graph.vertices.len();
        let input = format!("step{vertex}:{index}");
        steps.push(json!({"id": format!("step{last}"), "op": {"Op": null}, "inputs": [input]}));
    }
    json!({"llbDefinition": steps, "digestMapping": mapping})
}

fn operation(vertex: &Vertex) -> Value {
    let what = match &vertex.operation.op {
        Some(Kind::Exec(exec)) => json!({"exec": command(exec)}),
        Some(Kind::Source(source)) => {
            let mut document = json!({"identifier": without_credentials(&source.identifier)});
            if !source.attrs.is_empty() {
                let attributes = source.attrs.iter().map(|(key, value)| (key, without_credentials(value)));
                document["attrs"] = json!(attributes.collect::<BTreeMap<_, _>>());
            }
            json!({"source": document})
        }
        Some(Kind::File(file)) => json!({"file": {"actions": actions(file)}}),
        Some(Kind::Merge(_)) => json!({"merge": {}}),
        Some(Kind::Diff(_)) => json!({"diff": {}}),
        _ => Value::Null,
    };
    let mut document = json!({"Op": what});
    if let Some(platform) = &vertex.operation.platform {
        document["platform"] = json!({"Architecture": platform.architecture, "OS": platform.os});
        if !platform.variant.is_empty() {
            document["platform"]["Variant"] = json!(platform.variant);
        }
    }
    document
}

/// Without the proxies of `meta`: they may have passwords.
fn command(exec: &ExecOp) -> Value {
    let mounts: Vec<Value> = exec
        .mounts
        .iter()
        .map(|mount| {
            let kind = MountType::try_from(mount.mount_type).unwrap_or(MountType::Bind);
            let mut document = json!({"input": mount.input, "dest": mount.dest, "output": mount.output});
            if !mount.selector.is_empty() {
                document["selector"] = json!(mount.selector);
            }
            if mount.readonly {
                document["readonly"] = json!(true);
            }
            if kind != MountType::Bind {
                document["mountType"] = json!(mount.mount_type);
            }
            for (name, grant) in [("secretOpt", &mount.secret_opt), ("SSHOpt", &mount.ssh_opt)] {
                if let Some(grant) = grant {
                    document[name] = json!({"ID": grant.id, "optional": grant.optional});
                }
            }
            document
        })
        .collect();
    let mut document = json!({"mounts": mounts});
    if let Some(meta) = &exec.meta {
        document["meta"] = json!({"args": meta.args, "env": meta.env, "cwd": meta.cwd, "user": meta.user});
    }
    if !exec.secretenv.is_empty() {
        let secret = |secret: &crate::llb::message::exec::SecretEnv| json!({"ID": secret.id, "name": secret.name});
        document["secretenv"] = exec.secretenv.iter().map(secret).collect();
    }
    if exec.network != NetMode::Unset as i32 {
        document["network"] = json!(exec.network);
    }
    if exec.security != SecurityMode::Sandbox as i32 {
        document["security"] = json!(exec.security);
    }
    document
}

fn actions(file: &FileOp) -> Vec<Value> {
    let one = |action: &Option<Action>| match action {
        Some(Action::Copy(copy)) => json!({"copy": {
            "src": copy.src, "dest": copy.dest, "mode": copy.mode, "timestamp": copy.timestamp,
            "includePatterns": copy.include_patterns, "excludePatterns": copy.exclude_patterns,
        }}),
        Some(Action::MakeFile(made)) => json!({"mkfile": {"path": made.path, "mode": made.mode}}),
        Some(Action::MakeDirectory(made)) => json!({"mkdir": {"path": made.path, "mode": made.mode}}),
        Some(_) => json!({}),
        None => Value::Null,
    };
    let with_inputs = |action: &crate::llb::message::file::FileAction| {
        json!({
            "input": action.input, "secondaryInput": action.secondary_input, "output": action.output,
            "Action": one(&action.action),
        })
    };
    file.actions.iter().map(with_inputs).collect()
}

/// Whether nothing of it could reach a network.
pub(super) fn is_hermetic(graph: &Graph) -> bool {
    graph.vertices.iter().all(|vertex| match &vertex.operation.op {
        Some(Kind::Exec(exec)) => exec.network == NetMode::None as i32,
        _ => true,
    })
}

/// The names of all contexts.
pub(super) fn locals(graph: &Graph) -> BTreeSet<String> {
    let name = |vertex: &Vertex| match &vertex.operation.op {
        Some(Kind::Source(source)) => source.identifier.strip_prefix("local://").map(str::to_owned),
        _ => None,
    };
    graph.vertices.iter().filter_map(name).collect()
}

/// Names, and whether it works without.
type Named = Vec<(String, bool)>;

/// The names of secrets and of agents, and never more of them.
pub(super) fn grants(graph: &Graph) -> (Named, Named) {
    let (mut secrets, mut agents) = (BTreeSet::new(), BTreeSet::new());
    for vertex in &graph.vertices {
        let Some(Kind::Exec(exec)) = &vertex.operation.op else { continue };
        for mount in &exec.mounts {
            secrets.extend(mount.secret_opt.iter().map(|grant| (grant.id.clone(), grant.optional)));
            agents.extend(mount.ssh_opt.iter().map(|grant| (grant.id.clone(), grant.optional)));
        }
        secrets.extend(exec.secretenv.iter().map(|secret| (secret.id.clone(), secret.optional)));
    }
    (secrets.into_iter().collect(), agents.into_iter().collect())
}

/// A place in a file.
pub(super) fn location(location: &Location) -> Value {
    let position = |position: &Option<Position>| {
        let position = position.clone().unwrap_or_default();
        json!({"line": position.line, "character": position.character})
    };
    let ranges: Vec<Value> = location
        .ranges
        .iter()
        .map(|range| json!({"start": position(&range.start), "end": position(&range.end)}))
        .collect();
    json!({"sourceIndex": location.source_index, "ranges": ranges})
}
