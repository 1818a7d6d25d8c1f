//! Compressed pieces of a layer in, blocks of its tar archive out. Hashes and counts what comes in; what goes out is
//! hashed by who takes it. The compression is told by the first bytes, because media types are often wrong.
//!
//! RFC 1952 (several members), RFC 8878 (several frames); eStargz and zstd:chunked are these two.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender};

use bytes::{Buf, Bytes, BytesMut};
use flate2::bufread::MultiGzDecoder;
use store::{Digest, Hasher};
use tokio::sync::mpsc;

use crate::error::{Error, ErrorKind, Result};

#[cfg(test)]
mod tests;

/// Size of a block: small enough to stay in a core's cache until it is hashed, large enough that handing it over costs
/// nothing.
pub(crate) const BLOCK: usize = 512 << 10;
/// Up to here, a layer may expand as it likes.
const RATIO_FREE: u64 = 1 << 30;
/// Beyond, it may have this many times its compressed size. Files reach 10, zeroes 1000 (gzip) and more (zstd).
const RATIO_MAX: u64 = 250;

/// Why decoding ended early.
pub(crate) enum Stop {
    /// Nobody takes the blocks any more; the taker knows why.
    Unwanted,
    Failed(Error),
}

/// What came in.
pub(crate) struct Taken {
    pub(crate) bytes: u64,
    pub(crate) digest: Digest,
}

/// Decodes all of `pieces`. `spare` brings blocks back for reuse.
pub(crate) fn decode(
    pieces: mpsc::Receiver<Bytes>,
    blocks: &SyncSender<Vec<u8>>,
    spare: &Receiver<Vec<u8>>,
    limit: u64,
) -> Result<Taken, Stop> {
    let mut pieces = Pieces::new(pieces);
    let compression = Compression::of(pieces.first(4)).map_err(Stop::Failed)?;
    let mut decoder = Decoder::new(compression, pieces).map_err(|error| unreadable(&error))?;
    let mut total = 0;
    loop {
        let mut block = spare.try_recv().unwrap_or_default();
        block.resize(BLOCK, 0);
        let filled = fill(&mut decoder, &mut block).map_err(|error| unreadable(&error))?;
        block.truncate(filled);
        total += filled as u64;
        check(total, decoder.pieces().taken, limit).map_err(Stop::Failed)?;
        if filled > 0 && blocks.send(block).is_err() {
            return Err(Stop::Unwanted);
        }
        if filled < BLOCK {
            return Ok(decoder.into_pieces().finish());
        }
    }
}

fn check(total: u64, taken: u64, limit: u64) -> Result<()> {
    let too_much = |why: String| Err(Error::new(ErrorKind::Limit, why));
    if total > limit {
        return too_much(format!("the layer unpacks to more than the {limit} bytes allowed"));
    }
    if total > RATIO_FREE && total / RATIO_MAX > taken {
        return too_much(format!("{taken} bytes of the layer unpack to {total}, more than {RATIO_MAX} times as many"));
    }
    Ok(())
}

fn fill(source: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match source.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn unreadable(error: &io::Error) -> Stop {
    Stop::Failed(Error::new(ErrorKind::Invalid, format!("the layer cannot be decompressed: {error}")))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(first: &[u8]) -> Result<Self> {
        let unsupported = |name: &str| {
            Err(Error::new(
                ErrorKind::Unsupported,
                format!("the layer is compressed with {name}; gzip and zstd are read"),
            ))
        };
        match first {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Self::Zstd),
            // A skippable frame, in which zstd:chunked keeps its notes.
            [low, 0x2a, 0x4d, 0x18, ..] if low & 0xf0 == 0x50 => Ok(Self::Zstd),
            [b'B', b'Z', b'h', ..] => unsupported("bzip2"),
            [0xfd, b'7', b'z', b'X', ..] => unsupported("xz"),
            _ => Ok(Self::None),
        }
    }
}

enum Decoder {
    None(Box<Pieces>),
    Gzip(Box<MultiGzDecoder<Pieces>>),
    Zstd(Box<zstd::Decoder<'static, Pieces>>),
}

impl Decoder {
    fn new(compression: Compression, pieces: Pieces) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(Box::new(pieces)),
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(pieces))),
            Compression::Zstd => Self::Zstd(Box::new(zstd::Decoder::with_buffer(pieces)?)),
        })
    }

    fn pieces(&self) -> &Pieces {
        match self {
            Self::None(pieces) => pieces,
            Self::Gzip(decoder) => decoder.get_ref(),
            Self::Zstd(decoder) => decoder.get_ref(),
        }
    }

    fn into_pieces(self) -> Pieces {
        match self {
            Self::None(pieces) => *pieces,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::None(pieces) => pieces.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

/// The pieces as one stream, without copying; hashed as they come.
struct Pieces {
    source: mpsc::Receiver<Bytes>,
    current: Bytes,
    hasher: Hasher,
    taken: u64,
}

impl Pieces {
    fn new(source: mpsc::Receiver<Bytes>) -> Self {
        Self { source, current: Bytes::new(), hasher: Hasher::new(), taken: 0 }
    }

    fn receive(&mut self) -> Option<Bytes> {
        let piece = self.source.blocking_recv()?;
        self.hasher.update(&piece);
        self.taken += piece.len() as u64;
        Some(piece)
    }

    /// At least `count` bytes from the beginning, or all there are; they are not consumed.
    fn first(&mut self, count: usize) -> &[u8] {
        while self.current.len() < count {
            let Some(piece) = self.receive() else { break };
            if self.current.is_empty() {
                self.current = piece;
            } else {
                let mut joined = BytesMut::from(&self.current[..]);
                joined.extend_from_slice(&piece);
                self.current = joined.freeze();
            }
        }
        &self.current
    }

    /// Takes what the decoder left (nothing, in a well-formed stream): the digest is that of the whole blob.
    fn finish(mut self) -> Taken {
        while self.receive().is_some() {}
        Taken { bytes: self.taken, digest: self.hasher.finish() }
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            let Some(piece) = self.receive() else { break };
            self.current = piece;
        }
        Ok(&self.current)
    }

    fn consume(&mut self, count: usize) {
        self.current.advance(count);
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}
