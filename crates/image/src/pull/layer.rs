//! One layer from its compressed pieces to a verified directory: decoding on one thread, hashing and unpacking on
//! another, both at work while the pieces still arrive.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;

use bytes::Bytes;
use store::{Digest, Hasher};
use tokio::sync::mpsc;

use crate::document::Descriptor;
use crate::error::{Error, ErrorKind, Result};
use crate::layer;
use crate::pull::decode::{Stop, Taken, decode};

/// Blocks between the two threads: what one may be ahead of the other (4 MiB).
const BLOCKS: usize = 8;

/// A layer that is in its directory.
pub(crate) struct Written {
    /// Bytes of its files.
    pub(crate) bytes: u64,
    /// What its archive is written from again.
    pub(crate) tape: Option<Vec<u8>>,
}

/// Unpacks the blob that `pieces` bring into `root`.
///
/// # Errors
/// `Digest` if the blob is not the one of `descriptor` or its content not `diff_id`; then, as after any other error,
/// what is in `root` is not to be used.
pub(crate) fn unpack(
    pieces: mpsc::Receiver<Bytes>,
    descriptor: &Descriptor,
    diff_id: &Digest,
    root: &fsroot::Root,
    limits: &layer::Limits,
) -> Result<Written> {
    let (block_sender, block_receiver) = sync_channel(BLOCKS);
    let (spare_sender, spare_receiver) = channel();
    let limit = limits.stream_bytes;
    thread::scope(|scope| {
        let decoder = thread::Builder::new()
            .name("decode".into())
            .spawn_scoped(scope, move || decode(pieces, &block_sender, &spare_receiver, limit))
            .map_err(|error| Error::new(ErrorKind::Store, format!("cannot start a thread: {error}")))?;
        let blocks = Blocks::new(block_receiver, spare_sender);
        let unpacked = unpack_blocks(blocks, diff_id, root, limits);
        match decoder.join() {
            // The decoder's own trouble comes first: the unpacker has seen a stream that ends too early.
            Ok(Err(Stop::Failed(error))) => Err(error),
            Ok(Err(Stop::Unwanted)) => unpacked,
            Ok(Ok(taken)) => check_blob(&taken, descriptor).and(unpacked),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn unpack_blocks(mut blocks: Blocks, diff_id: &Digest, root: &fsroot::Root, limits: &layer::Limits) -> Result<Written> {
    let (unpacked, tape) = layer::unpack_with_tape(&mut blocks, root, limits).map_err(from_unpacker)?;
    let digest = blocks.finish();
    if digest != *diff_id {
        let why = format!("the content of the layer is {digest}, the image config says {diff_id}");
        return Err(Error::new(ErrorKind::Digest, why));
    }
    Ok(Written { bytes: unpacked.bytes, tape })
}

fn check_blob(taken: &Taken, descriptor: &Descriptor) -> Result<()> {
    if taken.bytes == descriptor.size && taken.digest == descriptor.digest {
        return Ok(());
    }
    let why = format!(
        "expected {} of {} bytes, got {} of {} bytes",
        descriptor.digest, descriptor.size, taken.digest, taken.bytes
    );
    Err(Error::new(ErrorKind::Digest, why))
}

pub(crate) fn from_unpacker(error: layer::Error) -> Error {
    let kind = match error.kind() {
        layer::ErrorKind::TooLarge => ErrorKind::Limit,
        layer::ErrorKind::Write => ErrorKind::Store,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, error.to_string()).caused_by(error)
}

/// The decoded blocks as one stream, hashed as they come and given back when read.
struct Blocks {
    source: Receiver<Vec<u8>>,
    spare: Sender<Vec<u8>>,
    current: Vec<u8>,
    position: usize,
    hasher: Hasher,
}

impl Blocks {
    fn new(source: Receiver<Vec<u8>>, spare: Sender<Vec<u8>>) -> Self {
        Self { source, spare, current: Vec::new(), position: 0, hasher: Hasher::new() }
    }

    fn advance(&mut self) -> bool {
        let Ok(block) = self.source.recv() else { return false };
        self.hasher.update(&block);
        let read = std::mem::replace(&mut self.current, block);
        self.position = 0;
        // A decoder that has finished needs no blocks.
        let _unneeded = self.spare.send(read);
        true
    }

    /// The digest of all of the stream: what the unpacker had no use for is part of it.
    fn finish(mut self) -> Digest {
        while self.advance() {}
        self.hasher.finish()
    }
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.current.len() {
            if !self.advance() {
                return Ok(0);
            }
        }
        let available = &self.current[self.position..];
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.position += count;
        Ok(count)
    }
}
