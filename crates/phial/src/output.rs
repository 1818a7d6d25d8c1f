//! What commands print on standard output.

/// How a build looks while it goes on.
pub(crate) mod build;
/// Asking before something goes for good.
pub(crate) mod confirm;
/// A file that is whole or not there.
pub(crate) mod file;
/// `--format`: tables, JSON, templates.
pub(crate) mod format;
/// Sizes as docker writes them.
pub(crate) mod human;
/// Pulls: bars on a terminal, lines elsewhere.
pub(crate) mod progress;
/// Files that take their time to be read: bars on a terminal.
pub(crate) mod reading;
/// Aligned columns.
pub(crate) mod table;

use std::io::{IsTerminal, Write};

use dockerfile::Look;

use crate::failure::Result;

/// Prints text as it is.
///
/// # Errors
/// What `Failure` makes of a write that did not work.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Prints one line.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_line(line: &str) -> Result<()> {
    print(&format!("{line}\n"))
}

/// Whether standard output has colours: a terminal whose owner wants them has (<https://no-color.org>).
pub(crate) fn look_of_stdout() -> Look {
    look(std::io::stdout().is_terminal())
}

/// The same of standard error.
pub(crate) fn look_of_stderr() -> Look {
    look(std::io::stderr().is_terminal())
}

fn look(is_terminal: bool) -> Look {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_terminal && is_wanted { Look::Colored } else { Look::Plain }
}
