//! The tape of a layer: its tar stream without the contents of files, compressed. Owns how the original stream comes back from
//! tape and directory, to the byte; the digest of what comes out is for the caller to check.
//!
//! A layer's archive is not kept, and no writer of archives would write the same one again: headers come in many dialects and
//! any order. The headers themselves are small (a hundredth of the stream, and a tenth of that when compressed), so they
//! are kept as they came. The tape is an archive that lacks contents, so the reader of archives reads it too.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use fsroot::Root;

use super::archive::{Archive, Entry, Kind};
use super::path::{Role, components, place};
use super::replaced::{Earlier, Replaced};
use super::{Error, ErrorKind, Limits, Result};

/// Headers compress to a fiftieth at any level; more than the fastest only takes time that a pull has not.
const LEVEL: i32 = 1;
/// Small writes are collected, because each call of the compressor has a price.
const COLLECT: usize = 64 << 10;
/// A tape of more bytes is thrown away: it is held in memory, and an honest one of ten million entries is smaller.
const TAPE_MAX: usize = 256 << 20;
/// Bytes of contents copied at once.
const PIECE: usize = 256 << 10;

/// A tape that is being recorded: everything is written to it but the contents of files.
pub(super) struct Recorder {
    waiting: Vec<u8>,
    /// None once it has become too long.
    tape: Option<zstd::Encoder<'static, Vec<u8>>>,
}

impl Recorder {
    pub(super) fn new() -> Result<Self> {
        let tape = zstd::Encoder::new(Vec::new(), LEVEL).map_err(|error| compressing(&error))?;
        Ok(Self { waiting: Vec::with_capacity(COLLECT), tape: Some(tape) })
    }

    /// The tape, with what was `replaced` in front, unless it is too long to be kept.
    pub(super) fn finish(mut self, replaced: Replaced) -> Result<Option<Vec<u8>>> {
        self.flush().and_then(|()| self.joined(replaced)).map_err(|error| compressing(&error))
    }

    fn joined(self, replaced: Replaced) -> io::Result<Option<Vec<u8>>> {
        let (Some(tape), Some(mut front)) = (self.tape, replaced.finish(LEVEL)?) else { return Ok(None) };
        let tape = tape.finish()?;
        if front.is_empty() {
            return Ok(Some(tape));
        }
        front.extend_from_slice(&tape);
        Ok(Some(front))
    }
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() + bytes.len() > COLLECT {
            self.flush()?;
        }
        self.waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(tape) = &mut self.tape {
            tape.write_all(&self.waiting)?;
            if tape.get_ref().len() > TAPE_MAX {
                self.tape = None;
            }
        }
        self.waiting.clear();
        Ok(())
    }
}

/// Writes to `out` the stream that `tape` was recorded from, with the contents of files from `root`, the layer's directory.
/// Returns the number of bytes.
///
/// A file that is not there any more, or became shorter, is an error; one that was changed makes a stream of another digest.
///
/// # Errors
///
/// [`ErrorKind`]: `Read` for tape and files, `Write` for `out`.
pub fn replay(tape: impl Read, root: &Root, out: &mut dyn Write) -> Result<u64> {
    let limits = Limits { stream_bytes: u64::MAX, entries: u64::MAX, ..Limits::default() };
    let (mut earlier, tape) = Earlier::of(tape)?;
    let decoder = zstd::Decoder::new(tape).map_err(Error::read)?;
    let mut counted = Counted { out, bytes: 0 };
    let mut archive = Archive::tapped(decoder, &limits, &mut counted);
    let mut entry = Entry::default();
    let mut piece = vec![0; PIECE];
    let mut number = 0;
    while archive.next(&mut entry)? {
        number += 1;
        if has_contents(&entry)? {
            let path = components(&entry.path).collect::<Vec<_>>().join(&b'/');
            let written = match earlier.take(number, &path) {
                Some(bytes) => contents(&entry, bytes, &mut archive, &mut piece),
                None if entry.stored == 0 => Ok(()),
                None => file(root, &path).and_then(|file| contents(&entry, &file, &mut archive, &mut piece)),
            };
            written.map_err(|error| error.at(&entry.path))?;
            archive.contents_are_elsewhere();
        }
    }
    archive.drain()?;
    Ok(counted.bytes)
}

/// How many bytes [`replay`] would write. Looks at no file.
///
/// # Errors
///
/// `Read` and `Malformed` for what is no tape.
pub fn recorded_length(tape: impl Read) -> Result<u64> {
    let limits = Limits { stream_bytes: u64::MAX, entries: u64::MAX, ..Limits::default() };
    let decoder = zstd::Decoder::new(tape).map_err(Error::read)?;
    let mut counted = Counted { out: &mut io::sink(), bytes: 0 };
    let mut contents = 0;
    let mut archive = Archive::tapped(decoder, &limits, &mut counted);
    let mut entry = Entry::default();
    while archive.next(&mut entry)? {
        if has_contents(&entry)? {
            contents += entry.stored;
            archive.contents_are_elsewhere();
        }
    }
    archive.drain()?;
    Ok(counted.bytes + contents)
}

/// Whether the contents of this entry became those of a file, so that the tape lacks them.
fn has_contents(entry: &Entry) -> Result<bool> {
    Ok(entry.kind == Kind::File && matches!(place(&entry.path)?.role, Role::Named(_)))
}

/// The file of the layer that has the contents of the last entry called `path`.
fn file(root: &Root, path: &[u8]) -> Result<File> {
    Ok(root.open_regular(OsStr::from_bytes(path))?)
}

/// Gives the contents of `entry`, which are in `source`, to the tap.
fn contents<R: Read>(
    entry: &Entry,
    source: &(impl ReadAt + ?Sized),
    archive: &mut Archive<'_, R>,
    piece: &mut [u8],
) -> Result<()> {
    let whole = [(0, entry.stored)];
    let parts = entry.map.as_ref().map_or(&whole[..], |map| &map.parts);
    for &(mut offset, length) in parts {
        let end = offset + length;
        while offset < end {
            let most = usize::try_from(end - offset).map_or(PIECE, |left| left.min(PIECE));
            source.read_exact_at(&mut piece[..most], offset).map_err(Error::read)?;
            archive.tap(&piece[..most])?;
            offset += most as u64;
        }
    }
    Ok(())
}

/// What contents are read from.
trait ReadAt {
    fn read_exact_at(&self, piece: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, piece: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, piece, offset)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, piece: &mut [u8], offset: u64) -> io::Result<()> {
        let mut rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        rest.read_exact(piece)
    }
}

struct Counted<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn compressing(error: &io::Error) -> Error {
    Error::new(ErrorKind::Write, format_args!("compressing its headers: {error}"))
}
