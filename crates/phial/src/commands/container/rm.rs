//! `phial rm`.

use std::process::ExitCode;

use clap::Args;
use engine::{ErrorKind, RemoveOptions};

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial rm web
  phial rm -f web db       even if they run";

/// What `phial rm` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rm {
    /// Kill containers that run; names that are not there are no error
    #[arg(short, long)]
    force: bool,
    /// Remove anonymous volumes as well: none exist yet
    #[arg(short, long)]
    volumes: bool,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Rm {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let options = RemoveOptions { force: self.force };
        each(&self.containers, |name| {
            let removed = engine.container(name).and_then(|container| engine.remove(&container, options));
            match removed {
                // As docker: with force it is enough that it is not there afterwards; it is said all the same.
                Err(error) if self.force && error.kind() == ErrorKind::NotFound => {
                    crate::failure::say(&format!("phial: {error}"));
                    Ok(())
                }
                other => {
                    other.cannot(|| format!("remove {name}"))?;
                    output::print_line(name)
                }
            }
        })
    }
}
