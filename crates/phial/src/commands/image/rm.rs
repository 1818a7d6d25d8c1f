//! `phial rmi`.

use std::process::ExitCode;

use clap::Args;
use engine::{ErrorKind, RemovedImage};

use super::{Execute, each};
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
    /// Names or ids of images
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
}

impl Execute for Rmi {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        each(&self.images, |name| {
            let removed = match engine.remove_image(name, self.force) {
                // Without the engine's hint to pull it.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(Failure::new(format!("cannot remove image {name}: no such image")));
                }
                other => other.cannot(|| format!("remove image {name}"))?,
            };
            for removed in removed {
                match removed {
                    RemovedImage::Untagged(name) => output::print_line(&format!("Untagged: {name}"))?,
                    RemovedImage::Deleted(digest) => output::print_line(&format!("Deleted: {digest}"))?,
                }
            }
            Ok(())
        })
    }
}
