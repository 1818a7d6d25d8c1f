//! `phial save`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use image::Platform;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::file::OutputFile;

const EXAMPLES: &str = "\
Examples:
  phial save -o alpine.tar alpine
  phial save alpine debian:12 | zstd > images.tar.zst";

/// What `phial save` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Save {
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the images must be for: OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Names or ids; a name without a tag means all its tags
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
}

impl Execute for Save {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let purpose = || format!("save {}", self.images.join(" "));
        let engine = context.engine()?;
        let mut out = OutputFile::create(self.output.as_deref(), &purpose())?;
        engine.save(&self.images, self.platform.as_ref(), out.writer()).cannot(purpose)?;
        out.finish(&purpose())?;
        Ok(ExitCode::SUCCESS)
    }
}
