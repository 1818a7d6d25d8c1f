//! `phial rename`.

use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial rename amber_retort web";

/// What `phial rename` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rename {
    /// Name or id of a container
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The name it gets
    #[arg(value_name = "NEW_NAME")]
    name: String,
}

impl Execute for Rename {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let renamed = engine.container(&self.container).and_then(|container| engine.rename(&container, &self.name));
        renamed.cannot(|| format!("rename {} to {}", self.container, self.name))?;
        Ok(ExitCode::SUCCESS)
    }
}
