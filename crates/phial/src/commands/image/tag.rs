//! `phial tag`.

use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial tag alpine localhost:5000/alpine:1
  phial tag 3f57d9401f8d team/app";

/// What `phial tag` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tag {
    /// A name or the id of the image
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    source: String,
    /// The name that it gets; another image loses it
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    target: String,
}

impl Execute for Tag {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        context.engine()?.tag(&self.source, &self.target).cannot(|| format!("tag {}", self.source))?;
        Ok(ExitCode::SUCCESS)
    }
}
