//! Files that are there whole or not at all: readers see the old content or the new.

use std::path::Path;

/// Writes beside the file, then renames.
///
/// # Errors
/// Those of the file system; then the old content stays.
pub(crate) fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidFilename)?;
    let temporary = path.with_file_name(format!(".{}", name.display()));
    std::fs::write(&temporary, content)?;
    std::fs::rename(temporary, path)
}
