//! `phial volume import`.

use std::process::ExitCode;

use clap::Args;
use engine::VolumeConfig;
use engine::config::parse_label;
use image::Told;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::print_line;
use crate::output::reading::{Archive, Reading};

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
        let labels = self.label.iter().map(|text| parse_label(text)).collect::<engine::Result<_>>().cannot(doing)?;
        let purpose = format!("{}: {}", doing(), self.from);
        let archive = Archive::open(&self.from, &purpose, "phial volume import VOLUME - < FILE")?;
        let shown = Reading::new("Importing");
        let from = Told::new(archive.from, &shown, "archive", archive.length);
        let config = VolumeConfig { name: Some(self.volume.clone()), labels, ..VolumeConfig::default() };
        let volume = context.engine()?.import_volume(&config, from).cannot(doing)?;
        drop(shown);
        print_line(&volume.name)?;
        Ok(ExitCode::SUCCESS)
    }
}
