//! `phial manifest push`.

use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;
use crate::output::progress::{PullProgress, Target};

const EXAMPLES: &str = "\
Examples:
  phial manifest push localhost:5000/app:1
  phial manifest push --purge localhost:5000/app:1";

/// What `phial manifest push` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Push {
    /// Accept unknown certificates and plain HTTP
    #[arg(long)]
    insecure: bool,
    /// Forget the list once it is pushed
    #[arg(short, long)]
    purge: bool,
    /// The list's name
    #[arg(value_name = "LIST")]
    list: String,
}

impl Execute for Push {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let progress = PullProgress::new(Target::Stderr { missing: false }, &self.list);
        let told = |reference: &image::Reference| {
            if let Some(digest) = reference.digest() {
                // A reader that has gone misses it; the push goes on.
                let _gone = output::print_line(&format!("Pushed ref {reference} with digest: {digest}"));
            }
        };
        let pushed = engine.push_manifest_list(&self.list, self.purge, self.insecure, &progress, &told);
        let digest = pushed.cannot(|| format!("push manifest list {}", self.list))?;
        output::print_line(&digest.to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}
