//! `phial man`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::Execute;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::print;
use crate::{command_line, man};

const EXAMPLES: &str = "\
Examples:
  phial man /usr/local/share/man/man1      a page for each command
  phial man | man -l -                     the first of them, to read";

/// What `phial man` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// Where to write the pages, phial.1, phial-run.1 and so on; the first goes to standard output otherwise
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Execute for Man {
    fn execute(self, _context: &Context) -> Result<ExitCode> {
        let pages = man::pages(command_line::program());
        let Some(directory) = self.directory else {
            print(pages.first().map_or("", |page| page.text.as_str()))?;
            return Ok(ExitCode::SUCCESS);
        };
        let cannot = |path: &Path, error| Failure::new(format!("cannot write {}: {error}", path.display()));
        fs::create_dir_all(&directory).map_err(|error| cannot(&directory, error))?;
        for page in pages {
            let path = directory.join(format!("{}.1", page.name));
            fs::write(&path, page.text).map_err(|error| cannot(&path, error))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
