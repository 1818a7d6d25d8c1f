//! `phial completion`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::Execute;
use crate::context::Context;
use crate::failure::Result;
use crate::output::print;

const EXAMPLES: &str = "\
Examples:
  phial completion bash > /etc/bash_completion.d/phial
  phial completion zsh > /usr/local/share/zsh/site-functions/_phial
  phial completion fish > ~/.config/fish/completions/phial.fish";

/// What `phial completion` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completion {
    /// Whose script
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Execute for Completion {
    fn execute(self, _context: &Context) -> Result<ExitCode> {
        print(match self.shell {
            Shell::Bash => include_str!("../completion/scripts/phial.bash"),
            Shell::Zsh => include_str!("../completion/scripts/phial.zsh"),
            Shell::Fish => include_str!("../completion/scripts/phial.fish"),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
