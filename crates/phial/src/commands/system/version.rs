//! `phial version`.

use std::process::ExitCode;

use clap::Args;
use engine::Version as Facts;
use serde_json::{Value, json};

use super::Execute;
use crate::context::Context;
use crate::embedded;
use crate::failure::Result;
use crate::output::format::FormatFlag;
use crate::output::{human, print};

const EXAMPLES: &str = "\
Examples:
  phial version
  phial version --format '{{.Server.Version}}'";

/// What `phial version` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Version {
    #[command(flatten)]
    format: FormatFlag,
}

impl Execute for Version {
    fn execute(self, _context: &Context) -> Result<ExitCode> {
        let facts = Facts::current();
        print(&match self.format.object()? {
            Some(format) => format.line(&value(&facts))?,
            None => text(&facts),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn text(facts: &Facts) -> String {
    let (version, platform) = (facts.version, format!("{}/{}", facts.os, facts.arch));
    format!(
        "\
Client: Phial
 Version:           {version}
 OS/Arch:           {platform}

Engine: Phial, in the same program
 Engine:
  Version:          {version}
  OS/Arch:          {platform}
 phial-runtime:
  Version:          {version}, {} inside phial
",
        human::size(embedded::RUNTIME.len() as u64)
    )
}

/// Docker's shape, with what is true of this program.
fn value(facts: &Facts) -> Value {
    let platform = json!({"Name": "Phial"});
    json!({
        "Client": {"Platform": platform, "Version": facts.version, "Os": facts.os, "Arch": facts.arch},
        "Server": {
            "Platform": platform,
            "Components": [
                {"Name": "Engine", "Version": facts.version, "Details": {"StoreFormat": facts.store_format.to_string()}},
                {"Name": "phial-runtime", "Version": facts.version},
            ],
            "Version": facts.version,
            "Os": facts.os,
            "Arch": facts.arch,
            "KernelVersion": facts.kernel_version,
        },
    })
}
