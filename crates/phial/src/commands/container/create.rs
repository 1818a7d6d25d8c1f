//! `phial create`: a container that waits for `phial start`.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use engine::Unstarted;

use super::Execute;
use super::flags::Flags;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial create --name web nginx && phial start web
  phial create -it --name box alpine sh && phial start -ai box";

/// What `phial create` takes.
#[derive(Debug, Args)]
#[command(
    override_usage = "phial create [OPTIONS] IMAGE [COMMAND] [ARG...]",
    after_help = EXAMPLES,
    disable_help_flag = true
)]
pub(crate) struct Create {
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    flags: Flags,
}

impl Execute for Create {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let image = self.flags.image().to_owned();
        let doing = || format!("create a container of {image}");
        let fetch = self.flags.fetch.parse().cannot(doing)?;
        let cidfile = self.flags.cidfile();
        let config = self.flags.config(doing)?;
        let cidfile = cidfile.map(|path| path.claim(doing)).transpose()?;
        let engine = context.engine()?;
        let record = fetch.image(&engine, &image, doing)?;
        let created = engine.create(&config, &record, Unstarted::Keep).cannot(doing)?;
        let id = created.id().hex();
        if let Some(cidfile) = cidfile {
            cidfile.keep(&id, doing)?;
        }
        output::print_line(&id)?;
        Ok(ExitCode::SUCCESS)
    }
}
