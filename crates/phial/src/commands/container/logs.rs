//! `phial logs`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use engine::{LogEntry, LogOptions, Stream};

use super::Execute;
use crate::context::Context;
use crate::failure::{Cannot, Failure, Result};

const EXAMPLES: &str = "\
Examples:
  phial logs web
  phial logs -f -n 20 web          the last 20 lines, then what comes";

/// What `phial logs` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logs {
    /// Go on with what comes, until the container ends
    #[arg(short, long)]
    follow: bool,
    /// Show only so many of the last lines
    #[arg(short = 'n', long, value_name = "NUMBER", default_value = "all", allow_hyphen_values = true)]
    tail: String,
    /// Begin each line with its time
    #[arg(short, long)]
    timestamps: bool,
    /// Name or id of a container
    #[arg(value_name = "CONTAINER")]
    container: String,
}

impl Execute for Logs {
    fn execute(self, context: &Context) -> Result<ExitCode> {
        let doing = || format!("show the log of {}", self.container);
        let options = LogOptions { follow: self.follow, tail: self.tail()? };
        let engine = context.engine()?;
        let container = engine.container(&self.container).cannot(doing)?;
        // Whole lines are written at once; a reader that follows shall not wait for a buffer to fill.
        let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
        let mut not_written = None;
        let mut print = |entry: &LogEntry<'_>| {
            let line = if self.timestamps { format!("{} {}", entry.time, entry.text) } else { entry.text.to_string() };
            let written = match entry.stream {
                Stream::Stdout => out.write_all(line.as_bytes()),
                Stream::Stderr => err.write_all(line.as_bytes()),
            };
            written.map_err(|error| {
                let kind = error.kind();
                not_written = Some(error);
                kind.into()
            })
        };
        let read = engine.logs(&container, &options, &mut print);
        match not_written {
            Some(error) => Err(error.into()),
            None => read.cannot(doing).map(|()| ExitCode::SUCCESS),
        }
    }
}

impl Logs {
    /// Docker takes any negative number, and `all`, as no limit.
    fn tail(&self) -> Result<Option<u64>> {
        match (self.tail.as_str(), self.tail.parse::<i64>()) {
            ("all", _) => Ok(None),
            (_, Ok(lines)) => Ok(u64::try_from(lines).ok()),
            (text, Err(_)) => Err(Failure::new(format!("cannot show a log: --tail {text}: not a number of lines"))),
        }
    }
}
