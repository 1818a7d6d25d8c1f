//! Output that may go to a file: `-o`. Owns that a file is whole or not there: it is written beside its place and moved there last.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// Where an archive is written to.
pub(crate) struct OutputFile {
    out: BufWriter<Box<dyn Write + Send>>,
    /// The file beside, and its place in the end.
    place: Option<(PathBuf, PathBuf)>,
}

impl OutputFile {
    /// Standard output, unless that is a terminal, or the file at `path`. `purpose` completes "cannot …:".
    ///
    /// # Errors
    /// For a terminal, and for a path where no file can be.
    pub(crate) fn create(path: Option<&Path>, purpose: &str) -> Result<OutputFile> {
        let Some(path) = path else {
            if io::stdout().is_terminal() {
                let message = format!("cannot {purpose}: cowardly refusing to save to a terminal");
                return Err(Failure::new(message).with_hint("use -o FILE, or > FILE"));
            }
            return Ok(OutputFile { out: BufWriter::new(Box::new(io::stdout())), place: None });
        };
        let failed = |why: &str| Failure::new(format!("cannot {purpose}: {}: {why}", path.display()));
        let found = fs::metadata(path);
        if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return Err(failed("it is a directory"));
        }
        if found.is_ok_and(|found| !found.is_file()) {
            let file = fs::OpenOptions::new().write(true).open(path).map_err(|error| failed(&error.to_string()))?;
            return Ok(OutputFile { out: BufWriter::new(Box::new(file)), place: None });
        }
        // Through a symlink, so that it stays one.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = target.file_name().ok_or_else(|| failed("it is no name of a file"))?;
        let beside = target.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
        let file: File = file.map_err(|error| failed(&error.to_string()))?;
        Ok(OutputFile { out: BufWriter::with_capacity(1 << 20, Box::new(file)), place: Some((beside, target)) })
    }

    /// To write to.
    pub(crate) fn writer(&mut self) -> &mut (impl Write + Send + use<>) {
        &mut self.out
    }

    /// All is written: the file takes its place.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub(crate) fn finish(mut self, purpose: &str) -> Result<()> {
        let failed = |error: io::Error| Failure::new(format!("cannot {purpose}: writing: {error}"));
        self.out.flush().map_err(failed)?;
        if let Some((beside, place)) = self.place.take() {
            fs::rename(&beside, &place)
                .inspect_err(|_| drop(fs::remove_file(&beside)))
                .map_err(|error| Failure::new(format!("cannot {purpose}: {}: {error}", place.display())))?;
        }
        Ok(())
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some((beside, _)) = &self.place {
            // What is only a part must not stay; nobody can be told if it does.
            let _ = fs::remove_file(beside);
        }
    }
}
