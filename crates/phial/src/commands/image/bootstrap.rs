//! `phial image bootstrap`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use engine::builtin::TOOLBOX;
use image::Reference;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result, say};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial image bootstrap toolbox
  phial run --rm -it phial/toolbox sh";

/// What `phial image bootstrap` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Bootstrap {
    /// Which image to make
    image: Image,
}

/// Images that are made from what this host has.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Image {
    /// A shell and some 270 commands, from Debian's busybox-static
    Toolbox,
}

impl Execute for Bootstrap {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let Image::Toolbox = self.image;
        engine.bootstrap_toolbox(&|step| say(step)).cannot(|| format!("make {TOOLBOX}"))?;
        output::print_line(&Reference::familiar_of(TOOLBOX))?;
        Ok(ExitCode::SUCCESS)
    }
}
