//! Contents that a layer's archive has and its directory has not, because a later entry of the same name replaced the file. Owns how they
//! are kept in front of the tape, and found again: docker's own build writes such archives, as does `tar -r`.
//!
//! They are a skippable frame of zstd (RFC 8878, 3.1.2), which whoever reads the tape passes over: the magic number, the length, and
//! one zstd frame of records. A record is the number of the entry that replaced the file, the length of its path, the length of the
//! contents, path and contents; numbers have eight bytes, the lowest first.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};

use fsroot::{Dir, Name, OFlags};

use super::{Error, Result};

/// The first of the magic numbers that mean a frame to be skipped.
const MAGIC: [u8; 4] = 0x184D_2A50_u32.to_le_bytes();
/// Bytes of records that are kept, in memory: an honest archive replaces a few small files.
const MOST: usize = 64 << 20;

/// Files that are being replaced while a layer is written.
pub(super) struct Replaced {
    /// None if nobody wants them, or they cannot all be kept.
    records: Option<Vec<u8>>,
}

impl Replaced {
    /// Keeps what is replaced.
    pub(super) fn wanted() -> Self {
        Self { records: Some(Vec::new()) }
    }

    /// Keeps nothing.
    pub(super) fn unwanted() -> Self {
        Self { records: None }
    }

    /// Entry number `entry` is about to replace `name` in `dir`, which is called `path` in the layer.
    pub(super) fn keep(&mut self, dir: &Dir, name: Name<'_>, entry: u64, path: impl FnOnce() -> Vec<u8>) {
        let Some(records) = &mut self.records else { return };
        // The layer is as good without; only its archive cannot be written again.
        if !add(records, dir, name, entry, path).is_ok_and(|kept| kept) {
            self.records = None;
        }
    }

    /// What goes in front of the tape; None if not all was kept.
    pub(super) fn finish(self, level: i32) -> io::Result<Option<Vec<u8>>> {
        let Some(records) = self.records else { return Ok(None) };
        if records.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let packed = zstd::encode_all(records.as_slice(), level)?;
        let length = u32::try_from(packed.len()).map_err(io::Error::other)?;
        Ok(Some([&MAGIC[..], &length.to_le_bytes(), &packed].concat()))
    }
}

/// Adds a record, if `name` is a file with contents; false if it has too much to be kept.
fn add(
    records: &mut Vec<u8>,
    dir: &Dir,
    name: Name<'_>,
    entry: u64,
    path: impl FnOnce() -> Vec<u8>,
) -> fsroot::Result<bool> {
    let found = dir.metadata(name)?;
    if found.is_dir() {
        // What is in it would have to be gone through; no program is known to replace one.
        return Ok(dir.open_dir(name)?.names()?.is_empty());
    }
    if !found.is_file() || found.size == 0 {
        return Ok(true);
    }
    let path = path();
    let room = MOST.saturating_sub(records.len() + 3 * size_of::<u64>() + path.len());
    if found.size > room as u64 {
        return Ok(false);
    }
    for number in [entry, path.len() as u64, found.size] {
        records.extend_from_slice(&number.to_le_bytes());
    }
    records.extend_from_slice(&path);
    let read = File::from(dir.open(name, OFlags::RDONLY)?).read_to_end(records);
    Ok(read.is_ok_and(|read| read as u64 == found.size))
}

/// The contents of files that were replaced, each under its path with the entry that replaced it, earliest first.
#[derive(Default)]
pub(super) struct Earlier {
    contents: HashMap<Vec<u8>, VecDeque<(u64, Vec<u8>)>>,
}

impl Earlier {
    /// Reads what is in front of `tape`, if anything is, and gives the tape back.
    pub(super) fn of<R: Read>(mut tape: R) -> Result<(Self, impl Read + use<R>)> {
        let mut start = Vec::new();
        tape.by_ref().take(8).read_to_end(&mut start).map_err(Error::read)?;
        let mut earlier = Self::default();
        if let Some(length) = start.strip_prefix(&MAGIC).and_then(|rest| rest.first_chunk()) {
            let mut frame = tape.by_ref().take(u32::from_le_bytes(*length).into());
            let records = zstd::Decoder::new(&mut frame).map_err(Error::read)?;
            earlier.read(records.take(MOST as u64)).map_err(Error::read)?;
            // Whoever stops after the last record has not seen the frame's end.
            io::copy(&mut frame, &mut io::sink()).map_err(Error::read)?;
            start.clear();
        }
        Ok((earlier, io::Cursor::new(start).chain(tape)))
    }

    fn read(&mut self, mut records: impl Read) -> io::Result<()> {
        loop {
            let mut numbers = Vec::new();
            records.by_ref().take(3 * 8).read_to_end(&mut numbers)?;
            let [entry, path, contents] = match numbers.as_chunks::<8>() {
                ([], []) => return Ok(()),
                ([entry, path, contents], []) => [entry, path, contents],
                _ => return Err(cut_off()),
            };
            let mut bytes = |length: &[u8; 8]| {
                let length = u64::from_le_bytes(*length);
                let mut bytes = Vec::new();
                let read = records.by_ref().take(length).read_to_end(&mut bytes)?;
                if read as u64 == length { Ok(bytes) } else { Err(cut_off()) }
            };
            let (path, contents) = (bytes(path)?, bytes(contents)?);
            self.contents.entry(path).or_default().push_back((u64::from_le_bytes(*entry), contents));
        }
    }

    /// What entry number `entry` put at `path`, if something has replaced it since.
    pub(super) fn take(&mut self, entry: u64, path: &[u8]) -> Option<&[u8]> {
        let all = self.contents.get_mut(path)?;
        while all.pop_front_if(|(replaced, _)| *replaced <= entry).is_some() {}
        all.front().map(|(_, contents)| &contents[..])
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the contents of replaced files are cut off")
}
