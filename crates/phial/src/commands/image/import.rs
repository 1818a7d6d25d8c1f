//! `phial import`.

use std::process::ExitCode;

use clap::Args;
use engine::ImportOptions;
use image::{Platform, Told};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::print_line;
use crate::output::reading::{Archive, Reading};

const EXAMPLES: &str = "\
Examples:
  phial import rootfs.tar.gz team/base
  phial export web | phial import - web:flat
  phial import -c 'CMD [\"sh\"]' https://example.org/rootfs.tar.xz base";

/// What `phial import` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    /// Change the image's configuration by an instruction of a Dockerfile; may be given several times
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// What is to be said about it
    #[arg(short, long, value_name = "MESSAGE", default_value = "", hide_default_value = true)]
    message: String,
    /// What it is for: OS/ARCHITECTURE[/VARIANT]. This host if it is left out
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// A file, a URL, or - for standard input
    #[arg(value_name = "FILE|URL|-", allow_hyphen_values = true)]
    from: String,
    /// What the image is to be called
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Execute for Import {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let purpose = format!("import {}", self.from);
        let is_url = self.from.starts_with("http://") || self.from.starts_with("https://");
        let archive = if is_url {
            let failed = |error| Failure::new(format!("cannot {purpose}: {error}"));
            Archive { from: Box::new(image::download(&self.from).map_err(failed)?), length: None }
        } else {
            Archive::open(&self.from, &purpose, "phial import - < FILE")?
        };
        let options = ImportOptions {
            name: self.name.clone(),
            message: self.message.clone(),
            source: if is_url { self.from.clone() } else { "-".to_owned() },
            changes: self.changes.clone(),
            platform: self.platform.clone(),
        };
        let shown = Reading::new("Importing");
        let from = Told::new(archive.from, &shown, "archive", archive.length);
        let image = context.engine()?.import(from, &options).cannot(|| purpose)?;
        drop(shown);
        print_line(&image.id.to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}
