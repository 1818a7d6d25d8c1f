//! `phial push`.

use std::process::ExitCode;

use clap::Args;
use engine::PushRequest;
use image::{Compression, Platform, Progress};

use super::Execute;
use crate::commands::registry::flags::{RegistryFlags, is_bare};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;
use crate::output::progress::{PullProgress, Target};

const EXAMPLES: &str = "\
Examples:
  phial push localhost:5000/app:1.2
  phial push --all-tags registry.example/team/app
  phial push --compression zstd registry.example/team/app:1.2";

/// What `phial push` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Push {
    /// The image, under the name that it is to have in its registry
    #[arg(value_name = "NAME[:TAG]")]
    name: String,
    /// Every tag of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// What the image must be for: OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Print nothing but the name in the end
    #[arg(short, long)]
    quiet: bool,
    /// What layers are compressed with that the registry does not have: gzip or zstd
    #[arg(long, value_name = "NAME", default_value = "gzip")]
    compression: Compression,
    #[command(flatten)]
    registry: RegistryFlags,
}

impl Execute for Push {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let shown = PullProgress::new(Target::Stdout, &self.name);
        let progress: &dyn Progress = if self.quiet { &() } else { &shown };
        if is_bare(&self.name) && !self.all_tags && !self.quiet {
            shown.line("Using default tag: latest");
        }
        let request = PushRequest {
            all_tags: self.all_tags,
            platform: self.platform,
            insecure: self.registry.insecure(),
            compression: self.compression,
        };
        let pushed = engine.push(&self.name, &request, progress).cannot(|| format!("push {}", self.name))?;
        if self.quiet {
            for (reference, _) in pushed {
                output::print_line(&reference.to_string())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
