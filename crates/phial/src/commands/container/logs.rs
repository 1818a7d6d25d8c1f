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
  phial logs -f -n 20 web          the last 20 lines, then what comes
  phial logs -t --since 10m web    the last ten minutes, with times";

/// What `phial logs` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logs {
    /// Go on with what comes, until the container ends
    #[arg(short, long)]
    follow: bool,
    /// Begin each line with what --log-opt labels, env and tag say of it
    #[arg(long)]
    details: bool,
    /// Show only what was written since this time: a time, a date, seconds since 1970, or how long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Show only what was written until this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
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
        let options = LogOptions { follow: self.follow, tail: self.tail()?, ..LogOptions::default() };
        let options = options.between(self.since.as_deref(), self.until.as_deref()).cannot(doing)?;
        let engine = context.engine()?;
        let container = engine.container(&self.container).cannot(doing)?;
        // Whole lines are written at once; a reader that follows shall not wait for a buffer to fill.
        let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
        let mut not_written = None;
        let mut print = |entry: &LogEntry<'_>| {
            let mut line = Vec::new();
            if self.timestamps {
                line.extend(format!("{:.9} ", entry.time).into_bytes());
            }
            if self.details {
                line.extend(details(entry).into_bytes());
            }
            line.extend_from_slice(&entry.text);
            let written = match entry.stream {
                Stream::Stdout => out.write_all(&line),
                Stream::Stderr => err.write_all(&line),
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

/// What is said of every line, as docker writes it: names and values escaped as in a URL, commas between them.
fn details(entry: &LogEntry<'_>) -> String {
    let pair = |(key, value): (&String, &String)| format!("{}={}", escaped(key), escaped(value));
    entry.attributes.iter().map(pair).collect::<Vec<_>>().join(",") + " "
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn details_stay_on_one_line() {
        assert_eq!(escaped("a b\n=,\u{e9}~"), "a+b%0A%3D%2C%C3%A9~");
    }
}
