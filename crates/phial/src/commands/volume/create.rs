//! `phial volume create`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use engine::VolumeConfig;
use engine::config::parse_label;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  phial volume create data
  phial volume create --label stage=test
  phial volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=100m,uid=1000 scratch
  phial volume create --opt type=none --opt o=bind --opt device=/srv/data data";

/// What `phial volume create` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Create {
    /// Who makes the volume: local
    #[arg(short, long, value_name = "DRIVER", default_value = "local")]
    driver: String,
    /// Set a label
    #[arg(long, value_name = "NAME[=VALUE]")]
    label: Vec<String>,
    /// Another way to give the name
    #[arg(long = "name", value_name = "NAME", hide = true)]
    other_name: Option<String>,
    /// Set an option of the driver: type, device and o, as mount(8) has them
    #[arg(short, long, value_name = "KEY=VALUE")]
    opt: Vec<String>,
    /// The volume's name; a random one otherwise
    #[arg(value_name = "VOLUME")]
    name: Option<String>,
}

impl Execute for Create {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        if self.name.is_some() && self.other_name.is_some() {
            return Err(Failure::new(
                "conflicting options: cannot specify a volume-name through both --name and as a positional arg",
            ));
        }
        let name = self.name.or(self.other_name);
        let shown = name.clone().unwrap_or_default();
        let doing = || format!("create volume {shown}").trim_end().to_owned();
        let labels = self.label.iter().map(|text| parse_label(text)).collect::<engine::Result<_>>().cannot(doing)?;
        let pair = |text: &String| {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (key.to_owned(), value.to_owned())
        };
        let options: BTreeMap<String, String> = self.opt.iter().map(pair).collect();
        let config = VolumeConfig { name, driver: Some(self.driver), labels, options };
        let volume = context.engine()?.create_volume(&config).cannot(doing)?;
        output::print_line(&volume.name)?;
        Ok(ExitCode::SUCCESS)
    }
}
