//! `phial pull`.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use image::{Platform, PullOptions, Reference};

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
    /// What the image must be for: OS/ARCHITECTURE[/VARIANT]. This host if it is left out
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// With false, unknown certificates and plain HTTP are accepted. This host's own addresses need neither
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls_verify: bool,
}

impl Execute for Pull {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let options = PullOptions { platform: self.platform, insecure: !self.tls_verify, ..PullOptions::default() };
        let progress = PullProgress::new(Target::Stdout, &self.name);
        let reference = self.name.parse::<Reference>().ok();
        if let Some(reference) = &reference
            && reference.tag() == Some("latest")
            && !self.name.ends_with(":latest")
        {
            progress.line("Using default tag: latest");
        }
        engine.pull(&self.name, &options, &progress).cannot(|| format!("pull {}", self.name))?;
        let full = reference.map_or_else(|| self.name.clone(), |reference| reference.to_string());
        progress.line(full);
        Ok(ExitCode::SUCCESS)
    }
}

/// A name as docker shows it: `alpine:latest` for `docker.io/library/alpine`.
pub(super) fn familiar(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.familiar())
}
