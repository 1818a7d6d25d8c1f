//! A file that is rotated: once it has its size it gets a number and another one is begun. Names and order are those of
//! [`runtime::protocol::log`].

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use runtime::protocol::log::{Driver, Finished, Log, finished, finished_path};

use super::compress;
use super::record::{self, Piece};

/// Bytes that are written with one call, more or less.
const BATCH: usize = 32 * 1024;

/// The file that is written to.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    path: PathBuf,
    driver: Driver,
    attributes: BTreeMap<String, String>,
    max_size: Option<u64>,
    max_files: u32,
    compress: bool,
    /// Its size, pending bytes not counted.
    size: u64,
    /// The size at which it is finished.
    full: u64,
    pending: Vec<u8>,
}

impl LogFile {
    pub(super) fn open(log: &Log) -> io::Result<LogFile> {
        let mut file = open(&log.path)?;
        let size = mend(&mut file, log.driver)?;
        Ok(LogFile {
            file,
            path: log.path.clone(),
            driver: log.driver,
            attributes: log.attributes.clone(),
            max_size: log.max_size,
            max_files: log.max_files.max(1),
            compress: log.compress,
            size,
            full: log.max_size.unwrap_or(u64::MAX),
            pending: Vec::new(),
        })
    }

    /// Takes a piece; it is in the file after [`LogFile::flush`] at the latest.
    pub(super) fn write(&mut self, piece: &Piece<'_>) {
        if self.size + self.pending.len() as u64 >= self.full {
            self.flush();
            self.rotate();
        }
        record::append(&mut self.pending, self.driver, piece, &self.attributes);
        if self.pending.len() >= BATCH {
            self.flush();
        }
    }

    pub(super) fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        match self.file.write_all(&pending) {
            Ok(()) => self.size += pending.len() as u64,
            // A full disk loses lines, never the container, and never half of one: the file ends with a whole one again.
            Err(_) => drop(self.file.set_len(self.size)),
        }
    }

    /// Finishes the file and begins another. Where that cannot be done, this one grows on.
    fn rotate(&mut self) {
        match self.try_rotate() {
            Ok(()) => {
                self.full = self.max_size.unwrap_or(u64::MAX);
                self.remove_old();
                if self.compress {
                    compress::in_background(&self.path);
                }
            }
            Err(_) => self.full = self.size.saturating_add(self.max_size.unwrap_or(u64::MAX)),
        }
    }

    fn try_rotate(&mut self) -> io::Result<()> {
        let number = finished(&self.path)?.last().map_or(1, |newest| newest.number + 1);
        let next = self.path.with_extension("log.next");
        let file = open(&next)?;
        fs::rename(&self.path, finished_path(&self.path, number, false))?;
        sys::fault::point("log: finished");
        fs::rename(&next, &self.path)?;
        self.file = file;
        self.size = 0;
        Ok(())
    }

    fn remove_old(&self) {
        let files = finished(&self.path).unwrap_or_default();
        let kept = self.max_files as usize - 1;
        for Finished { number, .. } in files.iter().take(files.len().saturating_sub(kept)) {
            for compressed in [false, true] {
                fs::remove_file(finished_path(&self.path, *number, compressed)).ok();
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)
}

/// Makes an earlier supervisor's file end with something whole, should it have been killed while it wrote, and returns
/// its size.
fn mend(file: &mut File, driver: Driver) -> io::Result<u64> {
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(0);
    }
    if driver == Driver::Local {
        return mend_messages(file, size);
    }
    let mut last = [0];
    file.read_exact_at(&mut last, size - 1)?;
    if last == *b"\n" {
        return Ok(size);
    }
    file.write_all(b"\n")?;
    Ok(size + 1)
}

/// The last message says at its end how long it is; only if that is not so, all are gone through.
fn mend_messages(file: &mut File, size: u64) -> io::Result<u64> {
    let (mut first, mut last) = ([0; 4], [0; 4]);
    let begin = (|| {
        file.read_exact_at(&mut last, size.checked_sub(4)?).ok()?;
        let begin = size.checked_sub(8 + u64::from(u32::from_be_bytes(last)))?;
        file.read_exact_at(&mut first, begin).ok()?;
        Some(begin)
    })();
    if begin.is_some() && first == last {
        return Ok(size);
    }
    let mut content = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact_at(&mut content, 0)?;
    let whole = record::whole_messages(&content) as u64;
    file.set_len(whole)?;
    file.rewind()?;
    Ok(whole)
}
