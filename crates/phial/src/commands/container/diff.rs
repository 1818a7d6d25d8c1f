//! `phial diff`.

use std::process::ExitCode;

use clap::Args;
use engine::ChangeKind;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::{human, print};

/// What `phial diff` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  phial diff web              A for added, C for changed, D for deleted")]
pub(crate) struct Diff {
    /// Name or id of the container
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Execute for Diff {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let changes = engine.container(&self.container).and_then(|container| engine.diff(&container));
        let changes = changes.cannot(|| format!("compare {}", self.container))?;
        let line = |change: &engine::Change| {
            let letter = match change.kind {
                ChangeKind::Added => 'A',
                ChangeKind::Changed => 'C',
                ChangeKind::Deleted => 'D',
            };
            format!("{letter} {}\n", human::harmless(&change.path.to_string_lossy()))
        };
        print(&changes.iter().map(line).collect::<String>())?;
        Ok(ExitCode::SUCCESS)
    }
}
