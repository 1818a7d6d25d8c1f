//! `phial load`.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use image::saved::{Input, LoadOptions};
use image::{Platform, Progress};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::print_line;
use crate::output::reading::Reading;

const EXAMPLES: &str = "\
Examples:
  phial load -i alpine.tar
  phial load -i layout/                the directory of an OCI layout
  curl https://example.org/image.tar.gz | phial load";

/// What `phial load` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Load {
    /// Read this file, or this directory, instead of standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Say nothing but the names of the images
    #[arg(short, long)]
    quiet: bool,
    /// What the images must be for: OS/ARCHITECTURE[/VARIANT]. This host if it is left out
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
}

impl Execute for Load {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let what = self.input.as_ref().map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
        let input = input(self.input.as_deref(), &what)?;
        let options = LoadOptions { platform: self.platform, ..LoadOptions::default() };
        let shown = Reading::new("Loading");
        let progress: &dyn Progress = if self.quiet { &() } else { &shown };
        let loaded = context.engine()?.load(input, &options, progress).cannot(|| format!("load {what}"))?;
        drop(shown);
        for image in loaded {
            for (name, id) in image.renamed.iter().filter(|_| !self.quiet) {
                print_line(&format!(
                    "The image {name} already exists, renaming the old one with ID {id} to empty string"
                ))?;
            }
            for name in &image.names {
                print_line(&format!("Loaded image: {name}"))?;
            }
            if image.names.is_empty() {
                print_line(&format!("Loaded image ID: {}", image.id))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn input(path: Option<&Path>, what: &str) -> Result<Input> {
    let failed = |why: String| Failure::new(format!("cannot load {what}: {why}"));
    let file = match path {
        Some(path) => File::open(path).map_err(|error| failed(error.to_string()))?,
        None if std::io::stdin().is_terminal() => {
            let message = "it is a terminal, and not an archive".to_owned();
            return Err(failed(message).with_hint("use -i FILE, or < FILE"));
        }
        None => File::from(std::io::stdin().as_fd().try_clone_to_owned().map_err(|error| failed(error.to_string()))?),
    };
    let is_directory = file.metadata().map_err(|error| failed(error.to_string()))?.is_dir();
    if is_directory {
        return fsroot::Root::from_fd(file.into()).map(Input::Layout).map_err(|error| failed(error.to_string()));
    }
    Ok(Input::Archive(file))
}
