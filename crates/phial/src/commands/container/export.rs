//! `phial export`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::file::OutputFile;

const EXAMPLES: &str = "\
Examples:
  phial export -o web.tar web
  phial export web | phial import - web:flat";

/// What `phial export` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name or id of the container
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Execute for Export {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let purpose = || format!("export {}", self.container);
        let engine = context.engine()?;
        let container = engine.container(&self.container).cannot(purpose)?;
        let mut out = OutputFile::create(self.output.as_deref(), &purpose())?;
        engine.export(&container, out.writer()).cannot(purpose)?;
        out.finish(&purpose())?;
        Ok(ExitCode::SUCCESS)
    }
}
