//! What commands print on standard output.

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

use std::io::Write;

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
