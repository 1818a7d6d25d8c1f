//! What this program is asked to do. Its only verb so far is for engines, not for people.

use std::io::Write;
use std::process::ExitCode;

use crate::supervise;

const HELP: &str = "\
phial-runtime: starts a container and stays with it

Usage: phial-runtime supervise

  supervise   start the container that the request on descriptor 3 describes, and serve its socket until it ends;
              phial does this, it is of no use by hand

Options:
  -h, --help      this text
  -V, --version   the version
";

/// Exit status of a call that makes no sense.
const USAGE: u8 = 2;

/// Does what the arguments say.
pub(crate) fn dispatch(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("supervise"), None) => supervise::run(),
        (Some("-V" | "--version"), None) => print(concat!("phial-runtime ", env!("CARGO_PKG_VERSION"), "\n")),
        (Some("-h" | "--help"), None) => print(HELP),
        (None, _) => complain("a command is missing"),
        (Some(first), _) => complain(&format!("{first:?} is no command, or has too many arguments")),
    }
}

fn print(text: &str) -> ExitCode {
    let written = std::io::stdout().write_all(text.as_bytes());
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn complain(what: &str) -> ExitCode {
    writeln!(std::io::stderr(), "phial-runtime: {what}: see phial-runtime --help").ok();
    ExitCode::from(USAGE)
}
