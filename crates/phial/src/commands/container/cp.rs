//! `phial cp`.

use std::process::ExitCode;

use clap::Args;
use engine::{CopyOptions, End};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result, say};
use crate::output::human;

const EXAMPLES: &str = "\
Examples:
  phial cp web:/etc/nginx ./nginx
  phial cp site/. web:/usr/share/nginx/html
  phial cp web:/var/log - | tar -t";

/// What `phial cp` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cp {
    /// Keep users and groups; copies belong to the user at the destination otherwise
    #[arg(short, long)]
    archive: bool,
    /// Copy what a symlink at the end of the source leads to, and not the symlink
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Do not say how much was copied
    #[arg(short, long)]
    quiet: bool,
    /// What to copy: CONTAINER:PATH, a path of the host, or - for a tar archive on standard input
    #[arg(value_name = "SRC_PATH", allow_hyphen_values = true)]
    from: String,
    /// Where to: CONTAINER:PATH, a path of the host, or - for a tar archive on standard output
    #[arg(value_name = "DEST_PATH", allow_hyphen_values = true)]
    to: String,
}

impl Execute for Cp {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let (from, to) = (End::parse(&self.from), End::parse(&self.to));
        if to == End::Archive && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            let message = format!("cannot copy {}: an archive on a terminal is of no use", self.from);
            return Err(Failure::new(message).with_hint("redirect standard output, or pipe it into tar"));
        }
        let options = CopyOptions { archive: self.archive, follow: self.follow_link };
        let copied = context
            .engine()?
            .copy(&from, &to, options, std::io::stdin().lock(), std::io::stdout().lock())
            .cannot(|| format!("copy {}", self.from))?;
        if copied.devices_left_out > 0 {
            let what = if copied.devices_left_out == 1 { "device node" } else { "device nodes" };
            say(&format!("phial: left out {} {what}: cp -a copies them, with their owners", copied.devices_left_out));
        }
        if !self.quiet && to != End::Archive {
            say(&format!("Successfully copied {} to {}", human::size(copied.bytes), copied.to));
        }
        Ok(ExitCode::SUCCESS)
    }
}
