//! `phial version`.

use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::embedded;
use crate::failure::Result;
use crate::output::{human, print};

/// What `phial version` takes: nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  phial version")]
pub(crate) struct Version {}

impl Execute for Version {
    fn execute(self, _context: &Context) -> Result<ExitCode> {
        let version = env!("CARGO_PKG_VERSION");
        let platform = platform();
        print(&format!(
            "\
Client: Phial
 Version:           {version}
 OS/Arch:           {platform}

Engine: Phial, in the same program
 Engine:
  Version:          {version}
  OS/Arch:          {platform}
 phial-runtime:
  Version:          {version}, {} inside phial
",
            human::size(embedded::RUNTIME.len() as u64)
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// This program's platform in docker's words.
fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}/{architecture}", std::env::consts::OS)
}
