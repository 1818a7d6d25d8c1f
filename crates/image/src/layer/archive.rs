//! From tar headers to entries. Owns how headers combine (ustar, PAX, GNU long names, sparse files) and where in the stream the contents
//! are; knows nothing of what an entry becomes.
//!
//! Where formats contradict each other the choice is Go's `archive/tar`, because it is what docker and containerd read layers
//! with: the same bytes must become the same files here.

use std::io::{Read, Write};

use rustix::fs::{Dev, Timespec, makedev};

use super::header::{Header, sparse_continuation};
use super::input::{BLOCK, Input};
use super::pax::Records;
use super::sparse::{Lines, Map};
use super::{Error, Limits, Result};

/// One entry, all headers taken together.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    /// Target of a symlink or hard link.
    pub(super) link: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Timespec,
    /// Device number of a device node.
    pub(super) device: Dev,
    /// Bytes of contents in the archive; 0 for all but files.
    pub(super) stored: u64,
    /// Where the contents go, if the file has holes.
    pub(super) map: Option<Map>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The types of entries that a layer may have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
}

/// A tar stream, read entry by entry.
pub(super) struct Archive<'a, R> {
    input: Input<'a, R>,
    limits: &'a Limits,
    /// Of global headers only what can be meant for many entries counts: owner and time.
    global: Records,
    /// Contents of the current entry that were not read yet, and the padding behind them.
    left: u64,
    padding: u64,
}

/// What extension headers said about the entry that they precede.
#[derive(Default)]
struct Extensions {
    pax: Records,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    bytes: usize,
    seen: bool,
}

impl<'a, R: Read> Archive<'a, R> {
    pub(super) fn new(reader: R, limits: &'a Limits) -> Self {
        Self::with(Input::new(reader, limits.stream_bytes, None), limits)
    }

    /// An archive of which `tap` gets everything but what is read with [`Self::data`].
    pub(super) fn tapped(reader: R, limits: &'a Limits, tap: &'a mut dyn Write) -> Self {
        Self::with(Input::new(reader, limits.stream_bytes, Some(tap)), limits)
    }

    fn with(input: Input<'a, R>, limits: &'a Limits) -> Self {
        Self { input, limits, global: Records::default(), left: 0, padding: 0 }
    }

    /// Gives `bytes` to the tap.
    pub(super) fn tap(&mut self, bytes: &[u8]) -> Result<()> {
        self.input.tap(bytes)
    }

    /// The contents of the current entry are not in the stream.
    pub(super) fn contents_are_elsewhere(&mut self) {
        self.left = 0;
    }

    /// Reads the headers of the next entry into `entry`; false at the end of the archive.
    pub(super) fn next(&mut self, entry: &mut Entry) -> Result<bool> {
        let (left, padding) = (std::mem::take(&mut self.left), std::mem::take(&mut self.padding));
        self.input.skip(left)?;
        self.input.skip_padding(padding)?;
        let mut extensions = Extensions::default();
        loop {
            let Some(block) = self.input.block()? else {
                // Some writers leave the two zero blocks out.
                return if extensions.seen { Err(Error::malformed("the archive is cut off")) } else { Ok(false) };
            };
            let Some(header) = Header::parse(block)? else {
                return self.end(extensions.seen);
            };
            let flag = header.type_flag();
            if matches!(flag, b'x' | b'X' | b'g' | b'L' | b'K') {
                let size = header.size()?;
                self.extension(flag, size, &mut extensions)?;
                continue;
            }
            let sparse = entry.fill(&header, &mut extensions, &self.global)?;
            return self.contents(entry, sparse, &mut extensions).map(|()| true).map_err(|error| error.at(&entry.path));
        }
    }

    /// The next piece of the entry's contents; none when all of it was read.
    pub(super) fn data(&mut self, most: u64) -> Result<Option<&[u8]>> {
        let most = most.min(self.left);
        if most == 0 {
            return Ok(None);
        }
        let data = self.input.data(most)?;
        self.left -= data.len() as u64;
        Ok(Some(data))
    }

    /// Reads what follows the archive to the end of the stream.
    pub(super) fn drain(&mut self) -> Result<()> {
        self.input.drain()
    }

    fn end(&mut self, pending: bool) -> Result<bool> {
        if pending {
            return Err(Error::malformed("an extended header is followed by no entry"));
        }
        match self.input.block()? {
            Some(block) if Header::parse(block)?.is_some() => Err(Error::malformed("an entry follows a zero block")),
            _ => Ok(false),
        }
    }

    fn extension(&mut self, flag: u8, size: u64, extensions: &mut Extensions) -> Result<()> {
        let limit = self.limits.header_bytes;
        let room = limit.saturating_sub(extensions.bytes);
        // At least a block each, so that an endless row of empty ones comes to an end too.
        let Some(size) = usize::try_from(size).ok().filter(|size| (*size).max(BLOCK) <= room) else {
            return Err(Error::too_large(format_args!("extended headers of more than {limit} bytes")));
        };
        extensions.bytes += size.max(BLOCK);
        let data = self.input.take(size)?;
        self.input.skip(padding(size as u64))?;
        if flag == b'g' {
            self.global.add(&data, self.limits)?;
            // Attributes for all entries that follow: nobody writes them, and each entry would cost as much as they are long.
            self.global.xattrs.clear();
            return Ok(());
        }
        extensions.seen = true;
        match flag {
            b'L' => extensions.long_name = Some(until_nul(data)),
            b'K' => extensions.long_link = Some(until_nul(data)),
            _ => extensions.pax.add(&data, self.limits)?,
        }
        Ok(())
    }

    /// Finds out where the contents of `entry` are, and reads its sparse map.
    fn contents(&mut self, entry: &mut Entry, sparse: Sparse, extensions: &mut Extensions) -> Result<()> {
        for (what, name) in [("name", &entry.path), ("link target", &entry.link)] {
            if name.len() > self.limits.name_bytes {
                let (size, limit) = (name.len(), self.limits.name_bytes);
                // The whole name would be a long message.
                return Err(Error::too_large(format_args!("a {what} of {size} bytes, over {limit}"))
                    .at(&name[..name.len().min(64)]));
            }
        }
        self.input.announce(entry.stored)?;
        match sparse {
            Sparse::No => {}
            Sparse::Old { mut parts, size, mut more } => {
                while more {
                    let block = self.input.block()?.ok_or_else(|| Error::malformed("the archive is cut off"))?;
                    more = sparse_continuation(block, &mut parts)?;
                    extensions.bytes += BLOCK;
                    self.check_map(extensions.bytes)?;
                }
                entry.map = Some(Map::new(parts, size, entry.stored)?);
            }
            Sparse::Listed { parts, size } => entry.map = Some(Map::new(parts, size, entry.stored)?),
            Sparse::InFront { size } => {
                let mut stored = entry.stored;
                let parts = self.map_in_front(&mut stored)?;
                // Without the map, which is whole blocks, the padding stays the same.
                entry.stored = stored;
                entry.map = Some(Map::new(parts, size, stored)?);
            }
        }
        self.left = entry.stored;
        self.padding = padding(entry.stored);
        Ok(())
    }

    fn map_in_front(&mut self, stored: &mut u64) -> Result<Vec<(u64, u64)>> {
        let mut lines = Lines::default();
        let mut bytes = 0;
        loop {
            let cut_off = || Error::malformed("the map of a sparse file is cut off");
            *stored = stored.checked_sub(BLOCK as u64).ok_or_else(cut_off)?;
            bytes += BLOCK;
            self.check_map(bytes)?;
            let block = self.input.block()?.ok_or_else(cut_off)?;
            if let Some(parts) = lines.push(block)? {
                return Ok(parts);
            }
        }
    }

    fn check_map(&self, bytes: usize) -> Result<()> {
        let limit = self.limits.header_bytes;
        if bytes > limit {
            return Err(Error::too_large(format_args!("the map of a sparse file has more than {limit} bytes")));
        }
        Ok(())
    }
}

/// Where the map of a sparse file is.
enum Sparse {
    No,
    /// In the header, and in blocks behind it (`more`).
    Old {
        parts: Vec<(u64, u64)>,
        size: u64,
        more: bool,
    },
    /// It was in the extended header.
    Listed {
        parts: Vec<(u64, u64)>,
        size: u64,
    },
    /// In front of the contents.
    InFront {
        size: u64,
    },
}

impl Entry {
    /// Combines a header with what was said about it before.
    fn fill(&mut self, header: &Header<'_>, extensions: &mut Extensions, global: &Records) -> Result<Sparse> {
        let pax = &mut extensions.pax;
        self.map = None;
        self.path.clear();
        match extensions.long_name.take().or_else(|| pax.sparse.name.take()).or_else(|| pax.path.take()) {
            Some(path) => self.path = path,
            None => header.name(&mut self.path),
        }
        self.fill_from(header, extensions, global).map_err(|error| error.at(&self.path))
    }

    fn fill_from(&mut self, header: &Header<'_>, extensions: &mut Extensions, global: &Records) -> Result<Sparse> {
        let pax = &mut extensions.pax;
        self.link.clear();
        match extensions.long_link.take().or_else(|| pax.link.take()) {
            Some(link) => self.link = link,
            None => self.link.extend_from_slice(header.link()),
        }
        let flag = header.type_flag();
        self.kind = kind(flag, &self.path)?;
        self.mode = header.mode()?;
        self.uid = owner("uid", pax.uid.or(global.uid), || header.uid())?;
        self.gid = owner("gid", pax.gid.or(global.gid), || header.gid())?;
        self.mtime = match pax.mtime.or(global.mtime) {
            Some(time) => time,
            None => Timespec { tv_sec: header.mtime()?, tv_nsec: 0 },
        };
        self.device = match self.kind {
            Kind::CharDevice | Kind::BlockDevice => device(header.device()?)?,
            _ => 0,
        };
        self.xattrs.clear();
        self.xattrs.extend(std::mem::take(&mut pax.xattrs));
        if self.kind != Kind::File {
            self.stored = 0;
            return Ok(Sparse::No);
        }
        self.stored = match pax.size {
            Some(size) => size,
            None => header.size()?,
        };
        sparse(flag, header, pax)
    }
}

/// Which form of sparse file this is, if it is one.
fn sparse(flag: u8, header: &Header<'_>, pax: &mut Records) -> Result<Sparse> {
    if flag == b'S' {
        let mut parts = Vec::new();
        let (size, more) = header.old_sparse(&mut parts)?;
        return Ok(Sparse::Old { parts, size, more });
    }
    match (pax.sparse.major, pax.sparse.parts.take(), pax.sparse.size) {
        (Some(1), _, Some(size)) => Ok(Sparse::InFront { size }),
        (None | Some(0), Some(parts), Some(size)) => Ok(Sparse::Listed { parts, size }),
        (None, None, None) => Ok(Sparse::No),
        _ => Err(Error::malformed("is sparse in a form that is not known, or not whole")),
    }
}

fn kind(flag: u8, path: &[u8]) -> Result<Kind> {
    Ok(match flag {
        // The first tar had no flag for directories.
        0 if path.ends_with(b"/") => Kind::Directory,
        0 | b'0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::CharDevice,
        b'4' => Kind::BlockDevice,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => return Err(Error::refused(format_args!("is of unknown type '{}'", other.escape_ascii()))),
    })
}

fn owner(what: &str, given: Option<u64>, header: impl FnOnce() -> Result<u64>) -> Result<u32> {
    let id = match given {
        Some(id) => id,
        None => header()?,
    };
    // The highest number means "nobody" to every system call (CVE-2024-40635 was a wrapped one).
    match u32::try_from(id) {
        Ok(id) if id != u32::MAX => Ok(id),
        _ => Err(Error::refused(format_args!("has the {what} {id}, which no file can have"))),
    }
}

fn device((major, minor): (u64, u64)) -> Result<Dev> {
    // 12 and 20 bits is what the kernel keeps.
    match (u32::try_from(major), u32::try_from(minor)) {
        (Ok(major), Ok(minor)) if major < 1 << 12 && minor < 1 << 20 => Ok(makedev(major, minor)),
        _ => Err(Error::refused(format_args!("is the device {major}:{minor}, which Linux cannot have"))),
    }
}

/// Bytes that fill the last block.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    text.truncate(end);
    text
}
