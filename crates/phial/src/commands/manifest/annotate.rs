//! `phial manifest annotate`.

use std::process::ExitCode;

use clap::Args;
use engine::Annotation;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};

const EXAMPLES: &str = "\
Examples:
  phial manifest annotate --arch arm --variant v7 localhost:5000/app:1 localhost:5000/app:1-arm";

/// What `phial manifest annotate` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Annotate {
    /// The processor
    #[arg(long, value_name = "NAME")]
    arch: Option<String>,
    /// The operating system
    #[arg(long, value_name = "NAME")]
    os: Option<String>,
    /// What the operating system must have
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    os_features: Option<Vec<String>>,
    /// The operating system's version
    #[arg(long, value_name = "VERSION")]
    os_version: Option<String>,
    /// The processor's variant
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// The list's name
    #[arg(value_name = "LIST")]
    list: String,
    /// The manifest in it
    #[arg(value_name = "MANIFEST")]
    manifest: String,
}

impl Execute for Annotate {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let annotation = Annotation {
            arch: self.arch,
            os: self.os,
            os_features: self.os_features,
            os_version: self.os_version,
            variant: self.variant,
        };
        let annotated = context.engine()?.annotate_manifest(&self.list, &self.manifest, &annotation);
        annotated.cannot(|| format!("annotate {} in {}", self.manifest, self.list))?;
        Ok(ExitCode::SUCCESS)
    }
}
