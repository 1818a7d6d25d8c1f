//! `phial network rm`.

use std::process::ExitCode;

use clap::Args;
use engine::ErrorKind;

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial network rm web
  phial network rm -f web db     names that are not there are no error";

/// What `phial network rm` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rm {
    /// A name that is not there is no error
    #[arg(short, long)]
    force: bool,
    /// Names or ids of networks
    #[arg(value_name = "NETWORK", required = true)]
    networks: Vec<String>,
}

impl Execute for Rm {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        each(&self.networks, |name| {
            match engine.remove_network(name) {
                Err(error) if self.force && error.kind() == ErrorKind::NotFound => {}
                other => other.cannot(|| format!("remove network {name}"))?,
            }
            output::print_line(name)
        })
    }
}
