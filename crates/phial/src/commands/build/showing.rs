//! How much is shown of a build, and where.

use std::io::Write;
use std::path::PathBuf;

use build::Options;
use build::graph::{Recorder, svg};
use clap::Args;

use super::csv::meant;
use super::invalid;
use crate::failure::{Failure, Result};
use crate::output::build::{Mode, is_terminal};
use crate::output::file::OutputFile;

/// What `--progress` takes.
pub(crate) const PROGRESS: [&str; 6] = ["auto", "plain", "tty", "quiet", "rawjson", "none"];

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Flags {
    #[arg(
        long,
        value_name = "TYPE",
        help = "How progress is shown: auto, plain, tty, quiet, rawjson or none [env: PHIAL_PROGRESS, BUILDKIT_PROGRESS]"
    )]
    progress: Option<String>,
    /// Print nothing but the image's id
    #[arg(short, long)]
    quiet: bool,
    /// Say of each step why it is done anew
    #[arg(long)]
    explain: bool,
    /// Draw the steps and their times into a file of SVG
    #[arg(long, value_name = "FILE")]
    graph: Option<PathBuf>,
    /// What happens when a command fails: shell opens one in what it has left
    #[arg(long, value_name = "ACTION", value_parser = ["shell"])]
    on_error: Option<String>,
}

impl Flags {
    /// What it looks like.
    pub(super) fn mode(&self, environment: &dyn Fn(&str) -> Option<String>) -> Result<Mode> {
        mode(self.quiet, self.progress.as_deref(), environment, is_terminal())
    }

    pub(super) fn apply(&self, options: &mut Options) {
        options.explain = self.explain;
        options.shell_on_error = self.on_error.is_some();
    }

    /// Refuses a picture that could not be drawn, before anything is built.
    pub(super) fn check(&self) -> Result<()> {
        let Some(path) = &self.graph else { return Ok(()) };
        OutputFile::check(path).map_err(|why| invalid("--graph", &path.display().to_string(), why))
    }

    /// Draws, if that is wanted: also a build that did not come to its end.
    pub(super) fn draw(&self, recorder: &Recorder) -> Result<()> {
        let Some(path) = &self.graph else { return Ok(()) };
        let purpose = "draw the build";
        let mut file = OutputFile::create(Some(path), purpose)?;
        let written = file.writer().write_all(svg(&recorder.nodes()).as_bytes());
        written.map_err(|error| Failure::new(format!("cannot {purpose}: {}: {error}", path.display())))?;
        file.finish(purpose)
    }
}

fn mode(
    is_quiet: bool,
    flag: Option<&str>,
    environment: &dyn Fn(&str) -> Option<String>,
    is_terminal: bool,
) -> Result<Mode> {
    let variable = |name| environment(name).filter(|value| !value.is_empty()).map(|value| (name, value));
    let chosen = flag.map(|flag| ("--progress", flag.to_owned()));
    let chosen = chosen.or_else(|| variable("PHIAL_PROGRESS")).or_else(|| variable("BUILDKIT_PROGRESS"));
    let (whence, chosen) = chosen.unwrap_or(("--progress", "auto".to_owned()));
    Ok(match chosen.as_str() {
        _ if is_quiet => Mode::Quiet,
        "auto" if is_terminal => Mode::Tty,
        "auto" | "plain" => Mode::Plain,
        "tty" => Mode::Tty,
        "quiet" => Mode::Quiet,
        "none" => Mode::Nothing,
        "rawjson" => Mode::RawJson,
        other => {
            let failure = invalid(whence, other, format_args!("it is none of {}", PROGRESS.join(", ")));
            return Err(meant(failure, other, &PROGRESS));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_looks_like() {
        let cases = [
            (false, None, None, true, Mode::Tty),
            (false, None, None, false, Mode::Plain),
            (false, Some("rawjson"), Some("plain"), true, Mode::RawJson),
            (false, None, Some("plain"), true, Mode::Plain),
            (false, None, Some(""), true, Mode::Tty),
            (false, Some("none"), None, true, Mode::Nothing),
            (true, Some("tty"), None, true, Mode::Quiet),
        ];
        for (is_quiet, flag, variable, is_terminal, expected) in cases {
            let environment = |name: &str| variable.filter(|_| name == "BUILDKIT_PROGRESS").map(str::to_owned);
            assert_eq!(mode(is_quiet, flag, &environment, is_terminal).expect("it is one"), expected);
        }
        let wrong = mode(false, Some("plian"), &|_| None, true).expect_err("there is none");
        let message = "cannot build: --progress plian: it is none of auto, plain, tty, quiet, rawjson, none";
        assert_eq!(wrong.said(), (message, Some("did you mean plain?")));
    }
}
