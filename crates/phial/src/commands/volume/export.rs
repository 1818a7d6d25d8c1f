//! `phial volume export`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::file::OutputFile;

const EXAMPLES: &str = "\
Examples:
  phial volume export -o data.tar data
  phial volume export data | zstd > data.tar.zst";

/// What `phial volume export` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name of the volume
    #[arg(value_name = "VOLUME")]
    volume: String,
}

impl Execute for Export {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let purpose = || format!("export volume {}", self.volume);
        let engine = context.engine()?;
        engine.volume(&self.volume).cannot(purpose)?;
        let mut out = OutputFile::create(self.output.as_deref(), &purpose())?;
        engine.export_volume(&self.volume, out.writer()).cannot(purpose)?;
        out.finish(&purpose())?;
        Ok(ExitCode::SUCCESS)
    }
}
