//! `phial manifest inspect`.

use std::process::ExitCode;

use clap::Args;
use engine::Inspected;
use image::Examined;
use serde::Serialize;
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
        let value = match engine.inspect_manifest(list, name, self.insecure).cannot(doing)? {
            Inspected::List(_, list) if self.verbose => json!(list.entries),
            Inspected::List(document, _) => document,
            Inspected::Remote(found) => {
                let document: Value = serde_json::from_slice(&found.bytes)
                    .map_err(|error| Failure::new(format!("cannot {}: {error}", doing())))?;
                if self.verbose { verbose(name, &found, document) } else { document }
            }
        };
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let written = value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter));
        written.map_err(|error| Failure::new(format!("cannot {}: {error}", doing())))?;
        output::print_line(&String::from_utf8_lossy(&text))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Docker's form of it.
fn verbose(name: &str, found: &Examined, document: Value) -> Value {
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
