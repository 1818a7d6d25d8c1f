//! `phial push`.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use engine::PushRequest;
use image::{Compression, Platform, Progress};

use super::Execute;
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
    /// With false, unknown certificates and plain HTTP are accepted. This host's own addresses need neither
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls_verify: bool,
    /// Nothing is ever signed for Docker Content Trust, so there is nothing to disable
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    disable_content_trust: Option<bool>,
}

impl Execute for Push {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let shown = PullProgress::new(Target::Stdout, &self.name);
        let progress: &dyn Progress = if self.quiet { &() } else { &shown };
        let bare = !self.name[self.name.rfind('/').map_or(0, |slash| slash + 1)..].contains([':', '@']);
        if bare && !self.all_tags && !self.quiet {
            shown.line("Using default tag: latest");
        }
        let request = PushRequest {
            all_tags: self.all_tags,
            platform: self.platform,
            insecure: !self.tls_verify,
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
