//! `phial rmi`.

use std::process::ExitCode;

use clap::Args;
use engine::ErrorKind;
use image::Platform;

use super::{Execute, each};
use crate::commands::prune::removed_image;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial rmi alpine
  phial rmi -f 3f57d9401f8d        with all its names, even if containers were made from it";

/// What `phial rmi` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rmi {
    /// Remove all names of the image, even if containers were made from it
    #[arg(short, long)]
    force: bool,
    /// Leave parents without a name; images have none here, each holds all of its layers
    #[arg(long)]
    no_prune: bool,
    /// What the image must be for: OS/ARCHITECTURE[/VARIANT]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<Platform>,
    /// Names or ids of images
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
}

impl Execute for Rmi {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        each(&self.images, |name| {
            let fits = self.platform.iter().try_for_each(|wanted| engine.image_for(name, Some(wanted)).map(drop));
            let removed = match fits.and_then(|()| engine.remove_image(name, self.force)) {
                // Without the engine's hint to pull it.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(Failure::new(format!("cannot remove image {name}: no such image")));
                }
                other => other.cannot(|| format!("remove image {name}"))?,
            };
            for removed in removed {
                output::print_line(&removed_image(&removed, "Untagged", "Deleted"))?;
            }
            Ok(())
        })
    }
}
