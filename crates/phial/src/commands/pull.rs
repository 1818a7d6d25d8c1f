//! `phial pull`.

use std::process::ExitCode;

use clap::Args;
use image::{PullOptions, Reference};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::progress::{PullProgress, Target};

const EXAMPLES: &str = "\
Examples:
  phial pull alpine
  phial pull ghcr.io/team/app:1.2
  phial pull localhost:5000/app@sha256:0123…";

/// What `phial pull` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Pull {
    /// The image: NAME, NAME:TAG or NAME@DIGEST
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    name: String,
}

impl Execute for Pull {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let progress = PullProgress::new(Target::Stdout, &self.name);
        let reference = self.name.parse::<Reference>().ok();
        if let Some(reference) = &reference
            && reference.tag() == Some("latest")
            && !self.name.ends_with(":latest")
        {
            progress.line("Using default tag: latest");
        }
        engine.pull(&self.name, &PullOptions::default(), &progress).cannot(|| format!("pull {}", self.name))?;
        let full = reference.map_or_else(|| self.name.clone(), |reference| reference.to_string());
        progress.line(full);
        Ok(ExitCode::SUCCESS)
    }
}

/// A name as docker shows it: `alpine:latest` for `docker.io/library/alpine`.
pub(super) fn familiar(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.familiar())
}
