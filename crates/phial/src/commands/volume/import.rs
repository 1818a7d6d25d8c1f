//! `phial volume import`.

use std::fs::{File, Metadata};
use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use clap::Args;
use engine::VolumeConfig;
use engine::config::parse_label;
use image::Told;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output::print_line;
use crate::output::reading::Reading;

const EXAMPLES: &str = "\
Examples:
  phial volume import data data.tar
  zstd -d < data.tar.zst | phial volume import data -";

/// What `phial volume import` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    /// Give a volume that is made a label: KEY[=VALUE]; may be given several times
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Name of the volume, which is made if it is not there
    #[arg(value_name = "VOLUME")]
    volume: String,
    /// An archive, compressed or not, or - for standard input
    #[arg(value_name = "FILE|-", allow_hyphen_values = true)]
    from: String,
}

impl Execute for Import {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || format!("import volume {}", self.volume);
        let failed = |why: String| Failure::new(format!("cannot {}: {}: {why}", doing(), self.from));
        let labels = self.label.iter().map(|text| parse_label(text)).collect::<engine::Result<_>>().cannot(doing)?;
        let mut length = None;
        let from: Box<dyn Read + Send> = match self.from.as_str() {
            "-" if std::io::stdin().is_terminal() => {
                let message = "standard input is a terminal, and not an archive".to_owned();
                return Err(failed(message).with_hint("phial volume import VOLUME - < FILE"));
            }
            "-" => Box::new(std::io::stdin()),
            path => {
                let file = File::open(path).map_err(|error| failed(error.to_string()))?;
                length = file.metadata().ok().filter(Metadata::is_file).map(|found| found.len());
                Box::new(file)
            }
        };
        let shown = Reading::new("Importing");
        let from = Told::new(from, &shown, "archive", length);
        let config = VolumeConfig { name: Some(self.volume.clone()), labels, ..VolumeConfig::default() };
        let volume = context.engine()?.import_volume(&config, from).cannot(doing)?;
        drop(shown);
        print_line(&volume.name)?;
        Ok(ExitCode::SUCCESS)
    }
}
