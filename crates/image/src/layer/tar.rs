//! A tar archive with random access: its headers one after the other, without reading what is between them. Owns the way from one
//! header to the next; the formats are those of [`super::header`] and [`super::pax`].

use std::io;

use super::header::Header;
use super::input::BLOCK;
use super::pax::Records;
use super::{Error, Limits, Result};

/// Bytes of one extension header.
const EXTENSION: u64 = 1 << 20;

/// Reads headers through `read`, which fills a buffer from an offset.
pub(crate) struct Reader<F> {
    read: F,
    offset: u64,
    length: u64,
}

/// One entry.
pub(crate) struct Next {
    /// Its name, as it is in the archive.
    pub(crate) path: Vec<u8>,
    /// Of a link, the directory that its target is seen from, and the target.
    pub(crate) link: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether it is a regular file.
    pub(crate) is_file: bool,
    /// Where its contents begin.
    pub(crate) offset: u64,
    /// Their length.
    pub(crate) size: u64,
}

impl<F: FnMut(u64, &mut [u8]) -> io::Result<()>> Reader<F> {
    /// A reader of `length` bytes.
    pub(crate) fn new(read: F, length: u64) -> Self {
        Self { read, offset: 0, length }
    }

    /// The next entry; none at the end.
    ///
    /// # Errors
    /// `Malformed`, `TooLarge` for an extension header, `Read`.
    pub(crate) fn next(&mut self) -> Result<Option<Next>> {
        let (mut pax, mut long_name, mut long_link) = (Records::default(), None, None);
        loop {
            if self.length.saturating_sub(self.offset) < BLOCK as u64 {
                return Ok(None);
            }
            let mut block = [0; BLOCK];
            self.fill(&mut block)?;
            let Some(header) = Header::parse(&block)? else { return Ok(None) };
            let flag = header.type_flag();
            if !matches!(flag, b'x' | b'X' | b'g' | b'L' | b'K') {
                return self.entry(&header, &mut pax, long_name, long_link).map(Some);
            }
            let data = self.extension(header.size()?)?;
            match flag {
                b'L' => long_name = Some(until_nul(data)),
                b'K' => long_link = Some(until_nul(data)),
                // What is said for all entries concerns owners and times.
                b'g' => {}
                _ => pax.add(&data, &Limits::default())?,
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header<'_>,
        pax: &mut Records,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Next> {
        let path = long_name.or_else(|| pax.path.take()).unwrap_or_else(|| {
            let mut name = Vec::new();
            header.name(&mut name);
            name
        });
        let target = || long_link.or_else(|| pax.link.take()).unwrap_or_else(|| header.link().to_vec());
        let parent = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash);
        let link = match header.type_flag() {
            b'1' => Some((Vec::new(), target())),
            b'2' => Some((path[..parent].to_vec(), target())),
            _ => None,
        };
        let is_file = matches!(header.type_flag(), 0 | b'0' | b'7') && !path.ends_with(b"/");
        let size = if is_file { pax.size.map_or_else(|| header.size(), Ok)? } else { 0 };
        let offset = self.offset;
        // Other types have contents too, in archives that nobody writes.
        self.pass(if is_file { size } else { header.size()? })?;
        Ok(Next { path, link, is_file, offset, size })
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > EXTENSION {
            return Err(Error::too_large(format_args!("an extended header of {size} bytes, over {EXTENSION}")));
        }
        let start = self.offset;
        let mut data = vec![0; usize::try_from(size).unwrap_or_default()];
        self.fill(&mut data)?;
        self.offset = start;
        self.pass(size)?;
        Ok(data)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        (self.read)(self.offset, buffer).map_err(Error::read)?;
        self.offset += buffer.len() as u64;
        Ok(())
    }

    /// Passes over contents and what fills their last block, which the last entry may lack.
    fn pass(&mut self, size: u64) -> Result<()> {
        let end = self.offset.checked_add(size).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| Error::malformed("the archive is cut off"))?;
        self.offset = end.next_multiple_of(BLOCK as u64);
        Ok(())
    }
}

fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(end) = text.iter().position(|byte| *byte == 0) {
        text.truncate(end);
    }
    text
}
