//! `phial manifest create`.

use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial manifest create localhost:5000/app:1 localhost:5000/app:1-amd64 localhost:5000/app:1-arm64
  phial manifest create --amend localhost:5000/app:1 localhost:5000/app:1-riscv64";

/// What `phial manifest create` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Create {
    /// Add to a list that is there
    #[arg(short, long)]
    amend: bool,
    /// Accept unknown certificates and plain HTTP
    #[arg(long)]
    insecure: bool,
    /// The list's name
    #[arg(value_name = "LIST")]
    list: String,
    /// Images in the same registry, or here
    #[arg(value_name = "MANIFEST", required = true)]
    manifests: Vec<String>,
}

impl Execute for Create {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let made = engine.create_manifest_list(&self.list, &self.manifests, self.amend, self.insecure);
        let name = made.cannot(|| format!("create manifest list {}", self.list))?;
        output::print_line(&format!("Created manifest list {name}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
