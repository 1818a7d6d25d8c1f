//! `phial commit`.

use std::process::ExitCode;

use clap::{ArgAction, Args};
use engine::CommitOptions;

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Result};
use crate::output::print_line;

const EXAMPLES: &str = "\
Examples:
  phial commit web team/web:patched
  phial commit -m 'with tools' -c 'CMD [\"bash\"]' -c 'ENV DEBUG=1' web team/web:debug";

/// What `phial commit` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Commit {
    /// Who made the image
    #[arg(short, long, value_name = "AUTHOR", default_value = "", hide_default_value = true)]
    author: String,
    /// What is to be said about it
    #[arg(short, long, value_name = "MESSAGE", default_value = "", hide_default_value = true)]
    message: String,
    /// Change its configuration by an instruction of a Dockerfile; may be given several times
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// Let the container's processes stand still meanwhile
    #[arg(short, long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    pause: bool,
    /// Name or id of the container
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// What the image is to be called
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

impl Execute for Commit {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let engine = context.engine()?;
        let options = CommitOptions {
            name: self.name,
            author: self.author,
            message: self.message,
            changes: self.changes,
            pause: self.pause,
        };
        let image = engine
            .container(&self.container)
            .and_then(|container| engine.commit_container(&container, &options))
            .cannot(|| format!("commit {}", self.container))?;
        print_line(&image.id.to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}
