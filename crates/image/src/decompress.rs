//! Decompression of files: whatever docker reads, told by the first bytes. Owns the choice and the limit of what comes out.
//!
//! Pulls have their own (`pull::decode`), whose pieces arrive by the network.

use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

/// Memory that an xz stream may ask for: its highest level takes 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;
/// Up to here a stream may expand as it likes; beyond, to this many times what it is compressed.
const RATIO_FREE: u64 = 1 << 30;
const RATIO_MAX: u64 = 250;

/// The stream `source`, decompressed if its first bytes say that it is compressed (gzip, zstd, bzip2, xz), and bounded as a layer is.
///
/// # Errors
/// Those of `source`.
pub fn decompressed<R: BufRead>(source: R) -> io::Result<impl Read + use<R>> {
    Decompressed::new(source, crate::layer::Limits::default().stream_bytes)
}

/// A stream, decompressed if it was compressed.
pub(crate) struct Decompressed<R: BufRead> {
    decoder: Decoder<R>,
    out: u64,
    limit: u64,
}

enum Decoder<R: BufRead> {
    None(Counted<R>),
    Gzip(MultiGzDecoder<Counted<R>>),
    Zstd(Box<zstd::Decoder<'static, Counted<R>>>),
    Bzip2(MultiBzDecoder<Counted<R>>),
    Xz(XzDecoder<Counted<R>>),
}

impl<R: BufRead> Decompressed<R> {
    /// Looks at the first bytes of `source`. More than `limit` bytes that come out are an error.
    ///
    /// # Errors
    /// Those of `source`.
    pub(crate) fn new(mut source: R, limit: u64) -> io::Result<Self> {
        let first = source.fill_buf()?;
        let kind = kind(first);
        let source = Counted::new(source);
        let decoder = match kind {
            Kind::None => Decoder::None(source),
            Kind::Gzip => Decoder::Gzip(MultiGzDecoder::new(source)),
            Kind::Zstd => Decoder::Zstd(Box::new(zstd::Decoder::with_buffer(source)?)),
            Kind::Bzip2 => Decoder::Bzip2(MultiBzDecoder::new(source)),
            Kind::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED).map_err(io::Error::other)?;
                Decoder::Xz(XzDecoder::new_stream(source, stream))
            }
        };
        Ok(Self { decoder, out: 0, limit })
    }

    /// Whether it is compressed at all.
    pub(crate) fn is_compressed(&self) -> bool {
        !matches!(self.decoder, Decoder::None(_))
    }

    /// What was read from, which may have something left.
    pub(crate) fn into_inner(self) -> R {
        match self.decoder {
            Decoder::None(source) => source.source,
            Decoder::Gzip(decoder) => decoder.into_inner().source,
            Decoder::Zstd(decoder) => decoder.finish().source,
            Decoder::Bzip2(decoder) => decoder.into_inner().source,
            Decoder::Xz(decoder) => decoder.into_inner().source,
        }
    }

    fn taken(&self) -> u64 {
        match &self.decoder {
            Decoder::None(source) => source.bytes,
            Decoder::Gzip(decoder) => decoder.get_ref().bytes,
            Decoder::Zstd(decoder) => decoder.get_ref().bytes,
            Decoder::Bzip2(decoder) => decoder.get_ref().bytes,
            Decoder::Xz(decoder) => decoder.get_ref().bytes,
        }
    }
}

impl<R: BufRead> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.decoder {
            Decoder::None(source) => source.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
            Decoder::Bzip2(decoder) => decoder.read(buffer),
            Decoder::Xz(decoder) => decoder.read(buffer),
        }?;
        self.out += count as u64;
        if self.out > self.limit {
            return Err(too_much(format!("more than {} bytes when decompressed", self.limit)));
        }
        if self.out > RATIO_FREE && self.out / RATIO_MAX > self.taken() {
            return Err(too_much(format!("{} bytes decompress to more than {RATIO_MAX} times as many", self.taken())));
        }
        Ok(count)
    }
}

fn too_much(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

fn kind(first: &[u8]) -> Kind {
    match first {
        [0x1f, 0x8b, ..] => Kind::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Kind::Zstd,
        // A skippable frame of zstd.
        [low, 0x2a, 0x4d, 0x18, ..] if low & 0xf0 == 0x50 => Kind::Zstd,
        [b'B', b'Z', b'h', ..] => Kind::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Kind::Xz,
        _ => Kind::None,
    }
}

/// A reader that counts what was taken from it.
pub struct Counted<R> {
    source: R,
    bytes: u64,
}

impl<R> Counted<R> {
    /// Nothing was taken yet.
    pub fn new(source: R) -> Self {
        Self { source, bytes: 0 }
    }

    /// Bytes that were taken.
    pub fn taken(&self) -> u64 {
        self.bytes
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.bytes += count as u64;
        self.source.consume(count);
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn check(bytes: &[u8], compressed: bool) {
        let mut stream = Decompressed::new(bytes, 1 << 20).expect("memory");
        assert_eq!(stream.is_compressed(), compressed);
        let mut found = String::new();
        stream.read_to_string(&mut found).expect("is text");
        assert_eq!(found, "text of a layer");
        let mut stream = Decompressed::new(bytes, 5).expect("memory");
        let error = stream.read_to_end(&mut Vec::new()).expect_err("it is longer");
        assert!(error.to_string().contains("more than 5 bytes"), "{error}");
    }

    #[test]
    fn what_docker_reads_is_read() {
        let text = b"text of a layer";
        check(text, false);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).expect("memory");
        check(&gzip.finish().expect("memory"), true);
        check(&zstd::encode_all(&text[..], 1).expect("memory"), true);
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(text).expect("memory");
        check(&bzip2.finish().expect("memory"), true);
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(text).expect("memory");
        check(&xz.finish().expect("memory"), true);
    }

    #[test]
    fn a_bomb_is_stopped() {
        let zeros = io::repeat(0).take(3 << 30);
        let bomb = zstd::encode_all(zeros, 1).expect("memory");
        let mut stream = Decompressed::new(bomb.as_slice(), u64::MAX).expect("memory");
        let error = io::copy(&mut stream, &mut io::sink()).expect_err("it is a bomb");
        assert!(error.to_string().contains("250 times"), "{error}");
    }
}
