//! Asking before something goes for good.

use std::io::{BufRead, Write};

use crate::failure::{Failure, Result};

/// Says what is about to go and asks, in docker's words. Without an answer, as from an empty standard input, it is no.
///
/// # Errors
/// `doing has been cancelled`, unless the answer is yes.
pub(crate) fn confirm(warning: &str, doing: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    write!(out, "{warning}\nAre you sure you want to continue? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    // What cannot be read is no yes.
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y") {
        return Ok(());
    }
    writeln!(out)?;
    Err(Failure::new(format!("{doing} has been cancelled")))
}
