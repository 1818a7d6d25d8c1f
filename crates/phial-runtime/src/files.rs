//! Files of this program's own: written whole, and read whole.

use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

/// Reads a file to its end.
///
/// # Errors
/// Those of the file system.
pub(crate) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    sys::file::read(CWD, path).map_err(Into::into)
}

/// Writes a file that nobody reads yet.
///
/// # Errors
/// Those of the file system.
pub(crate) fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))?;
    let mut rest = content;
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&file, rest)?..];
    }
    Ok(())
}

/// Writes beside the file, then renames: readers see the old content or the new.
///
/// # Errors
/// Those of the file system; then the old content stays.
pub(crate) fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidFilename)?;
    let temporary = path.with_file_name(format!(".{}", name.display()));
    write(&temporary, content)?;
    sys::fault::point("runtime file: written");
    std::fs::rename(temporary, path)?;
    sys::fault::point("runtime file: has its name");
    Ok(())
}
