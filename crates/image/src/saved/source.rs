//! Bytes with random access, whatever they come from. Owns the spooling of what has none: into a file without a name, which is gone
//! with this process.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use fsroot::Root;
use rustix::fs::{Mode, OFlags};

use super::index::Index;
use crate::decompress::Decompressed;
use crate::error::{Error, ErrorKind, Result, printable};
use crate::progress::{Progress, Told};

/// Decompressed bytes of a file with images; far above every honest one.
const MOST: u64 = 1 << 40;
/// Bytes copied at once.
const PIECE: usize = 256 << 10;

/// Where images are loaded from.
#[derive(Debug)]
pub enum Input {
    /// A tar archive, compressed or not: a file, or a pipe.
    Archive(File),
    /// The directory of an OCI layout.
    Layout(Root),
}

/// What [`Input`] has, by name.
pub(super) enum Source {
    Archive { file: File, index: Index },
    Layout(Root),
}

/// A part of a file.
pub(super) struct Part {
    file: File,
    offset: u64,
    left: u64,
}

impl Source {
    /// Reads the table of what there is. `spool` is the directory where a pipe's contents go while they are needed.
    pub(super) fn open(input: Input, spool: &Path, progress: &dyn Progress) -> Result<Source> {
        let file = match input {
            Input::Layout(root) => return Ok(Source::Layout(root)),
            Input::Archive(file) => file,
        };
        let file = with_random_access(file, spool, progress)
            .map_err(|error| Error::new(kind_of(&error), format!("reading the archive: {error}")).caused_by(error))?;
        let index = Index::read(&file)?;
        Ok(Source::Archive { file, index })
    }

    /// What has this name; None if nothing has.
    pub(super) fn part(&self, name: &str) -> Result<Option<Part>> {
        let failed =
            |error: &dyn std::fmt::Display| Error::new(ErrorKind::Invalid, format!("{}: {error}", printable(name)));
        match self {
            Source::Archive { file, index } => {
                let Some((offset, left)) = index.find(name.as_bytes())? else { return Ok(None) };
                Ok(Some(Part { file: file.try_clone().map_err(|error| failed(&error))?, offset, left }))
            }
            Source::Layout(root) => match root.open_regular(name) {
                Ok(file) => {
                    let left = file.metadata().map_err(|error| failed(&error))?.len();
                    Ok(Some(Part { file, offset: 0, left }))
                }
                Err(error) if error.kind() == fsroot::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(&error)),
            },
        }
    }

    /// The whole of a document; None if nothing has this name.
    ///
    /// # Errors
    /// `Limit` if it is larger than `most` bytes.
    pub(super) fn document(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let Some(part) = self.part(name)? else { return Ok(None) };
        if part.left > most {
            let message = format!("{} has {} bytes, more than the {most} allowed", printable(name), part.left);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let invalid =
            |why: &dyn std::fmt::Display| Error::new(ErrorKind::Invalid, format!("{}: {why}", printable(name)));
        let size = part.left;
        let mut bytes = Vec::new();
        let mut part = part;
        part.read_to_end(&mut bytes).map_err(|error| invalid(&error))?;
        if bytes.len() as u64 == size {
            return Ok(Some(bytes));
        }
        Err(invalid(&"the archive is cut off"))
    }
}

impl Part {
    /// Its length in bytes.
    pub(super) fn size(&self) -> u64 {
        self.left
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.file.read_at(&mut buffer[..most], self.offset)?;
        self.offset += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// The file itself if it is a plain archive, else its decompressed contents.
fn with_random_access(mut file: File, spool: &Path, progress: &dyn Progress) -> io::Result<File> {
    let found = file.metadata()?;
    let is_file = found.is_file();
    let start = if is_file { file.stream_position()? } else { 0 };
    let told = Told::new(&file, progress, "archive", is_file.then(|| found.len().saturating_sub(start)));
    let mut stream = Decompressed::new(BufReader::with_capacity(PIECE, told), MOST)?;
    if is_file && start == 0 && !stream.is_compressed() {
        drop(stream);
        file.seek(SeekFrom::Start(0))?;
        return Ok(file);
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let mut spooled = File::from(rustix::fs::open(spool, flags, Mode::RUSR | Mode::WUSR)?);
    let mut piece = vec![0; PIECE];
    loop {
        match stream.read(&mut piece)? {
            0 => return Ok(spooled),
            count => spooled.write_all(&piece[..count])?,
        }
    }
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull => ErrorKind::Store,
        io::ErrorKind::FileTooLarge => ErrorKind::Limit,
        _ => ErrorKind::Invalid,
    }
}
