//! `--cidfile`: a file that says which container it was, made before the container and gone again if there is none.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use crate::failure::{Failure, Result};

/// Where the id shall be written.
#[derive(Debug)]
pub(in crate::commands::container) struct CidFile(pub(super) PathBuf);

/// The file, which this command has made. Dropping it removes it.
#[derive(Debug)]
pub(in crate::commands::container) struct Claimed {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl CidFile {
    /// Makes the file.
    ///
    /// # Errors
    /// When it is there: it may tell of another container, which would be forgotten.
    pub(in crate::commands::container) fn claim(self, doing: impl Fn() -> String) -> Result<Claimed> {
        let shown = self.0.display().to_string();
        match File::create_new(&self.0) {
            Ok(file) => Ok(Claimed { path: self.0, file, is_written: false }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(Failure::new(format!("cannot {}: --cidfile {shown}: container ID file found", doing()))
                    .with_hint("make sure that the other container is not running, or remove the file"))
            }
            Err(error) => Err(Failure::new(format!("cannot {}: --cidfile {shown}: {error}", doing()))),
        }
    }
}

impl Claimed {
    /// Writes the id. From now on the file stays.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(in crate::commands::container) fn keep(mut self, id: &str, doing: impl Fn() -> String) -> Result<()> {
        let path = self.path.display().to_string();
        let failed = |error| Failure::new(format!("cannot {}: --cidfile {path}: {error}", doing()));
        self.file.write_all(id.as_bytes()).map_err(failed)?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if !self.is_written {
            // The error that is being told matters more.
            std::fs::remove_file(&self.path).ok();
        }
    }
}
