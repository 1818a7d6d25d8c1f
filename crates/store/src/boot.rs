//! Which boot of the machine this is.

use std::path::Path;
use std::sync::OnceLock;

use crate::{Error, Result};

/// The kernel's random id of this boot (`random(4)`), 36 characters. Locks and run files of another boot mean nothing.
///
/// # Errors
/// When /proc is not there.
pub fn boot_id() -> Result<String> {
    const FILE: &str = "/proc/sys/kernel/random/boot_id";
    // It does not change while a process lives.
    static READ: OnceLock<String> = OnceLock::new();
    if let Some(text) = READ.get() {
        return Ok(text.clone());
    }
    let mut text = std::fs::read_to_string(FILE).map_err(|error| Error::io("reading", Path::new(FILE), error))?;
    text.truncate(text.trim_end().len());
    Ok(READ.get_or_init(|| text).clone())
}
