//! `phial rm`.

use std::process::ExitCode;

use clap::Args;
use engine::{ErrorKind, RemoveOptions};

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial rm web
  phial rm -f web db       even if they run
  phial rm -v web          with the volumes that have no name";

/// What `phial rm` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rm {
    /// Kill containers that run; names that are not there are no error
    #[arg(short, long)]
    force: bool,
    /// Remove a link between containers instead: there are no links
    #[arg(short, long)]
    link: bool,
    /// Remove their anonymous volumes as well
    #[arg(short, long)]
    volumes: bool,
    /// Names or ids of containers
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

impl Execute for Rm {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        if self.link {
            return Err(Failure::new("cannot remove a link: --link: containers have no links")
                .with_hint("leave out --link to remove the container"));
        }
        let options = RemoveOptions { force: self.force, volumes: self.volumes };
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
