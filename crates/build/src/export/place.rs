//! Where an archive is written: a file that is whole or not there, or standard output. Owns the temporary name beside the target.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::error::{Error, Result};

/// Bytes that are written at once.
const BUFFER: usize = 1 << 20;

/// Whether [`file`] can write there, as far as that is known before there is anything to write.
///
/// # Errors
/// For a terminal, a directory, and a file in a directory that is not there.
pub(super) fn check_file(to: Option<&Path>) -> Result<()> {
    let Some(path) = to else {
        if io::stdout().is_terminal() {
            return Err(Error::invalid("--output: standard output is a terminal, which shows no archive")
                .with_hint("add > FILE, or give dest=FILE"));
        }
        return Ok(());
    };
    let shown = path.display();
    if path.is_dir() {
        return Err(Error::invalid(format!("--output: {shown} is a directory")).with_hint("name a file in it"));
    }
    let above = above(path);
    if !above.is_dir() {
        let above = above.display();
        return Err(Error::invalid(format!("--output: {shown}: there is no directory {above}"))
            .with_hint(format!("mkdir -p {above}")));
    }
    Ok(())
}

/// Whether [`directory`] can write there, as far as that is known before there is anything to write.
///
/// # Errors
/// For a file, and for a directory that has something in it.
pub(super) fn check_directory(to: &Path) -> Result<()> {
    let shown = to.display();
    match fs::read_dir(to).map(Iterator::count) {
        Ok(count) if count > 0 => {
            Err(Error::invalid(format!("--output: {shown}: there is something in this directory"))
                .with_hint("name one that is empty or not there"))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::system(shown, error)),
        _ => Ok(()),
    }
}

/// Writes a file, or to standard output.
///
/// # Errors
/// Those of [`check_file`] and of `write`; then nothing is left of the file.
pub(super) fn file(to: Option<&Path>, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
    check_file(to)?;
    let Some(path) = to else {
        return through(io::stdout(), "standard output", write);
    };
    let shown = path.display();
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        // A pipe or a device stays what it is.
        let file = fs::OpenOptions::new().write(true).open(path).map_err(|error| Error::system(shown, error))?;
        return through(file, &path.display().to_string(), write);
    }
    // Through a symlink, so that it stays one.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let made = tempfile::Builder::new()
        .prefix(".phial-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(above(&target));
    let made: NamedTempFile = made.map_err(|error| Error::system(path.display(), error))?;
    sys::fault::point("build: archive begun");
    let file: File = made.as_file().try_clone().map_err(|error| Error::system(path.display(), error))?;
    through(file, &path.display().to_string(), write)?;
    sys::fault::point("build: archive written");
    made.persist(&target).map(drop).map_err(|error| Error::system(path.display(), error.error))
}

/// Writes a directory that is not there yet, or is empty; those above it are made.
///
/// # Errors
/// Those of [`check_directory`] and of `write`; then nothing is left of it.
pub(super) fn directory(to: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let system = |error: io::Error| Error::system(to.display(), error);
    check_directory(to)?;
    fs::create_dir_all(above(to)).map_err(system)?;
    let made: TempDir = tempfile::Builder::new()
        .prefix(".phial-")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in(above(to))
        .map_err(system)?;
    write(made.path())?;
    sys::fault::point("build: layout written");
    // One that is empty is replaced.
    fs::rename(made.path(), to).map_err(system)?;
    // It has another name now: there is nothing to remove.
    let _ = made.keep();
    Ok(())
}

fn above(path: &Path) -> PathBuf {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn through(
    out: impl Write + Send,
    name: &str,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, out);
    write(&mut out)?;
    out.flush().map_err(|error| Error::system(name, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).expect("it is one").count()
    }

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = directory.path().join("a");
        file(Some(&path), |out| out.write_all(b"one").map_err(|error| Error::system("a", error))).expect("is written");
        file(Some(&path), |out| {
            out.write_all(b"two").map_err(|error| Error::system("a", error))?;
            Err(Error::invalid("no more"))
        })
        .expect_err("it says so");
        assert_eq!((fs::read(&path).expect("is there"), names(directory.path())), (b"one".to_vec(), 1));
        file(Some(directory.path()), |_| Ok(())).expect_err("a directory is no file");
        check_file(Some(&directory.path().join("absent/a"))).expect_err("there is no such directory");
    }

    #[test]
    fn a_directory_is_whole_or_not_there() {
        let above = tempfile::tempdir().expect("a directory can be made");
        let path = above.path().join("b/a");
        let put = |path: &Path| fs::write(path.join("f"), "").map_err(|error| Error::system("f", error));
        directory(&path, |path| put(path).and(Err(Error::invalid("no more")))).expect_err("it says so");
        assert_eq!(names(&above.path().join("b")), 0);
        fs::create_dir(&path).expect("can be made");
        directory(&path, put).expect("it is empty");
        assert_eq!((names(&path), names(&above.path().join("b"))), (1, 1));
        directory(&path, put).expect_err("something is in it");
        directory(&path.join("f"), put).expect_err("it is a file");
    }
}
