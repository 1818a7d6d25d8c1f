//! `phial volume rm`.

use std::process::ExitCode;

use clap::Args;
use engine::ErrorKind;

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial volume rm data
  phial volume rm -f data cache     names that are not there are no error";

/// What `phial volume rm` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rm {
    /// A name that is not there is no error
    #[arg(short, long)]
    force: bool,
    /// Names of volumes
    #[arg(value_name = "VOLUME", required = true)]
    volumes: Vec<String>,
}

impl Execute for Rm {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        each(&self.volumes, |name| {
            match engine.remove_volume(name) {
                Err(error) if self.force && error.kind() == ErrorKind::NotFound => {}
                other => other.cannot(|| format!("remove volume {name}"))?,
            }
            output::print_line(name)
        })
    }
}
