//! `phial manifest inspect`.

use std::process::ExitCode;

use clap::Args;
use engine::Inspected;
use image::Examined;
use serde_json::{Value, json};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial manifest inspect alpine
  phial manifest inspect --verbose localhost:5000/app:1
  phial manifest inspect localhost:5000/app:1 localhost:5000/app:1-arm64     an entry of a list";

/// What `phial manifest inspect` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    /// Accept unknown certificates and plain HTTP
    #[arg(long)]
    insecure: bool,
    /// Show digest, size and platform as well
    #[arg(short, long)]
    verbose: bool,
    /// A list and a manifest in it, or one of the two
    #[arg(value_name = "[LIST] MANIFEST", required = true, num_args = 1..=2)]
    names: Vec<String>,
}

impl Execute for Inspect {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let (list, name) = match self.names.as_slice() {
            [list, name] => (Some(list.as_str()), name),
            [name, ..] => (None, name),
            [] => return Err(Failure::new("cannot inspect a manifest: which one")),
        };
        let doing = || format!("inspect manifest {name}");
        let mut tab = "\t";
        let document = match engine.inspect_manifest(list, name, self.insecure).cannot(doing)? {
            Inspected::List(_, list) if self.verbose => json!(list.entries).to_string().into_bytes(),
            Inspected::List(document, _) => {
                // Docker's indentation of what is not in a registry yet.
                tab = "   ";
                document
            }
            Inspected::Remote(found) if self.verbose => verbose(name, &found).to_string().into_bytes(),
            Inspected::Remote(found) => found.bytes.to_vec(),
        };
        let text = String::from_utf8(document).map_err(|error| Failure::new(format!("cannot {}: {error}", doing())))?;
        output::print_line(&indented(&text, tab))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A JSON document with a line for each value, its fields in the order that they have: what is in a registry is shown as
/// it is there.
fn indented(json: &str, tab: &str) -> String {
    let (mut text, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    let mut characters = json.chars().filter(|c| !c.is_control()).peekable();
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n(tab, depth));
    };
    while let Some(c) = characters.next() {
        if quoted {
            text.push(c);
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            ' ' => {}
            '{' | '[' => {
                text.push(c);
                while characters.next_if_eq(&' ').is_some() {}
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    text.push(end);
                } else {
                    depth += 1;
                    line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(c);
            }
            ',' => {
                text.push(c);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            '"' => {
                quoted = true;
                text.push(c);
            }
            c => text.push(c),
        }
    }
    text
}

/// Docker's form of it.
fn verbose(name: &str, found: &Examined) -> Value {
    let document: Value = serde_json::from_slice(&found.bytes).unwrap_or_default();
    json!({
        "Ref": name,
        "Descriptor": {
            "mediaType": found.media_type,
            "digest": found.digest,
            "size": found.bytes.len(),
            "platform": found.platform,
        },
        if found.media_type.contains("oci") { "OCIManifest" } else { "SchemaV2Manifest" }: document,
    })
}

#[cfg(test)]
mod tests {
    use super::indented;

    #[test]
    fn documents_keep_their_order() {
        let given = r#"{ "b" : [ 1,{"a":"x, \"y\": {\\"} ], "a":{},
            "c":[ ]}"#;
        let expected = "{\n\t\"b\": [\n\t\t1,\n\t\t{\n\t\t\t\"a\": \"x, \\\"y\\\": {\\\\\"\n\t\t}\n\t],\n\t\"a\": {},\n\t\"c\": []\n}";
        assert_eq!(indented(given, "\t"), expected);
    }
}
