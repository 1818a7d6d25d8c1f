//! `phial image mount` and `phial image unmount`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Execute, each};
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::print_line;

const EXAMPLES: &str = "\
Examples:
  phial image mount alpine                ls $(phial image mount alpine)/etc
  phial image mount alpine /mnt
  phial image mount                       what is mounted";

/// What `phial image mount` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Mount {
    /// A name or the id of the image; what is mounted is listed if it is left out
    #[arg(value_name = "IMAGE")]
    image: Option<String>,
    /// A directory to mount it on, to be read; one of the store's own if it is left out
    #[arg(value_name = "DIR", requires = "image")]
    directory: Option<PathBuf>,
}

impl Execute for Mount {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        if let Some(image) = &self.image {
            let place = engine.mount_image(image, self.directory.as_deref()).cannot(|| format!("mount {image}"))?;
            print_line(&place.display().to_string())?;
            return Ok(ExitCode::SUCCESS);
        }
        for mounted in engine.mounted_images().cannot(|| "list mounted images")? {
            print_line(&format!("{} {}", mounted.id.short(), mounted.place.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What `phial image unmount` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  phial image unmount alpine\n  phial image unmount --all")]
pub(crate) struct Unmount {
    /// All images that are mounted
    #[arg(short, long)]
    all: bool,
    /// Names or ids of images
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
}

impl Execute for Unmount {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        if self.all != self.images.is_empty() {
            return Err(Failure::new("cannot unmount: give names of images, or --all"));
        }
        let mut images = self.images;
        if self.all {
            let mounted = engine.mounted_images().cannot(|| "list mounted images")?;
            images = mounted.iter().map(|mounted| mounted.id.to_string()).collect();
        }
        each(&images, |image| {
            let id = engine.unmount_image(image).cannot(|| format!("unmount {image}"))?;
            print_line(&id.hex())
        })
    }
}
