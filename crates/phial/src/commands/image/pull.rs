//! `phial pull`.

use std::process::ExitCode;

use clap::Args;
use engine::Engine;
use image::{Platform, Progress, PullOptions, Reference};

use super::Execute;
use crate::commands::registry::flags::{RegistryFlags, is_bare};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;
use crate::output::progress::{PullProgress, Target};

const EXAMPLES: &str = "\
Examples:
  phial pull alpine
  phial pull ghcr.io/team/app:1.2
  phial pull localhost:5000/app@sha256:0123…
  phial pull --all-tags localhost:5000/app";

/// What `phial pull` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Pull {
    /// The image: NAME, NAME:TAG or NAME@DIGEST
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    name: String,
    /// Every tag of the repository
    #[arg(short, long, conflicts_with = "all_platforms")]
    all_tags: bool,
    /// The image for every platform that it is there for
    #[arg(long, conflicts_with = "platform")]
    all_platforms: bool,
    /// What the image must be for: OS/ARCHITECTURE[/VARIANT]. This host if it is left out
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Print nothing but the name in the end
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Execute for Pull {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let shown = PullProgress::new(Target::Stdout, &self.name);
        let progress: &dyn Progress = if self.quiet { &() } else { &shown };
        if is_bare(&self.name) && !self.all_tags && !self.quiet && self.name.parse::<Reference>().is_ok() {
            shown.line("Using default tag: latest");
        }
        let full = self.pull(&engine, progress).cannot(|| format!("pull {}", self.name))?;
        if self.quiet {
            output::print_line(&full)?;
        } else {
            shown.line(full);
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Pull {
    /// Does it, and says what the full name was.
    fn pull(&self, engine: &Engine, progress: &dyn Progress) -> engine::Result<String> {
        let options = PullOptions {
            platform: self.platform.clone(),
            insecure: self.registry.insecure(),
            ..PullOptions::default()
        };
        if self.all_tags {
            return Ok(engine.pull_all_tags(&self.name, &options, progress)?.0.name());
        }
        if self.all_platforms {
            return Ok(engine.pull_all_platforms(&self.name, &options, progress)?.0.to_string());
        }
        Ok(engine.pull_named(&self.name, &options, progress)?.0.to_string())
    }
}
