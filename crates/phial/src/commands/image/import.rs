//! `phial import`.

use std::fs::{File, Metadata};
use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use clap::Args;
use engine::ImportOptions;
use image::{Platform, Told};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::print_line;
use crate::output::reading::Reading;

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
        let failed = |why: String| Failure::new(format!("cannot import {}: {why}", self.from));
        let is_url = self.from.starts_with("http://") || self.from.starts_with("https://");
        let mut length = None;
        let from: Box<dyn Read + Send> = match self.from.as_str() {
            "-" if std::io::stdin().is_terminal() => {
                let message = "standard input is a terminal, and not an archive".to_owned();
                return Err(failed(message).with_hint("phial import - < FILE"));
            }
            "-" => Box::new(std::io::stdin()),
            url if is_url => Box::new(image::download(url).map_err(|error| failed(error.to_string()))?),
            path => {
                let file = File::open(path).map_err(|error| failed(error.to_string()))?;
                length = file.metadata().ok().filter(Metadata::is_file).map(|found| found.len());
                Box::new(file)
            }
        };
        let options = ImportOptions {
            name: self.name.clone(),
            message: self.message.clone(),
            source: if is_url { self.from.clone() } else { "-".to_owned() },
            changes: self.changes.clone(),
            platform: self.platform.clone(),
        };
        let shown = Reading::new("Importing");
        let from = Told::new(from, &shown, "archive", length);
        let image = context.engine()?.import(from, &options).cannot(|| format!("import {}", self.from))?;
        drop(shown);
        print_line(&image.id.to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}
