//! Puts frames of `runtime::protocol` together from whatever pieces a stream socket gives.
//!
//! Pure: bytes in, frames out. The peer is trusted no further than a length: a frame above its kind's limit is refused
//! before anything is allocated for it.

use std::io;
use std::ops::Range;

use runtime::protocol::{HEADER, Kind, MAX_DATA, parse_header};

/// Room at first: most containers say little, and memory that is never touched costs nothing.
const LITTLE: usize = 4096;

/// Room once the first was filled: one whole data frame, so that output is moved in the largest pieces there are.
const ROOM: usize = HEADER + MAX_DATA;

/// Bytes that were received and are not yet used.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    filled: bool,
}

impl FrameBuffer {
    /// Where the next bytes of the socket go; tell [`FrameBuffer::received`] how many came. Never empty.
    ///
    /// # Errors
    /// `InvalidData` if what has come so far is not a frame.
    pub(super) fn space(&mut self) -> io::Result<&mut [u8]> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let frame = self.next_frame()?.map_or(HEADER, |(_, payload)| payload.end);
        if frame > self.bytes.len() || self.filled {
            self.bytes.resize(self.bytes.len().max(frame).max(if self.filled { ROOM } else { LITTLE }), 0);
        }
        Ok(&mut self.bytes[self.end..])
    }

    /// Takes `count` bytes of [`FrameBuffer::space`] as received.
    pub(super) fn received(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
        self.filled |= self.end == self.bytes.len();
    }

    /// The next whole frame, if it is here: its kind, and where [`FrameBuffer::payload`] finds it.
    ///
    /// # Errors
    /// `InvalidData` for what is not a frame.
    pub(super) fn next(&mut self) -> io::Result<Option<(Kind, Range<usize>)>> {
        match self.next_frame()? {
            Some((kind, payload)) if payload.end <= self.end => {
                self.start = payload.end;
                Ok(Some((kind, payload)))
            }
            _ => Ok(None),
        }
    }

    /// The payload that [`FrameBuffer::next`] told of. Valid until the next call of [`FrameBuffer::space`].
    pub(super) fn payload(&self, payload: Range<usize>) -> &[u8] {
        &self.bytes[payload]
    }

    /// Whether the middle of a frame has been reached: an end of the stream here is a broken peer.
    pub(super) fn is_partial(&self) -> bool {
        self.start < self.end
    }

    fn next_frame(&self) -> io::Result<Option<(Kind, Range<usize>)>> {
        let Some(header) = self.bytes[self.start..self.end].first_chunk::<HEADER>() else { return Ok(None) };
        let (kind, length) = parse_header(*header)?;
        let payload = self.start + HEADER;
        Ok(Some((kind, payload..payload + length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::protocol::write_frame;

    /// Feeds `wire` in pieces of `piece` bytes and collects the frames.
    fn reassemble(wire: &[u8], piece: usize) -> Vec<(Kind, Vec<u8>)> {
        let (mut buffer, mut frames) = (FrameBuffer::default(), Vec::new());
        let mut rest = wire;
        while !rest.is_empty() {
            let space = buffer.space().expect("the wire holds frames");
            let count = space.len().min(piece).min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            buffer.received(count);
            while let Some((kind, payload)) = buffer.next().expect("the wire holds frames") {
                frames.push((kind, buffer.payload(payload).to_vec()));
            }
        }
        assert!(!buffer.is_partial());
        frames
    }

    #[test]
    fn frames_come_out_whole_however_they_arrive() {
        let sent = [
            (Kind::Started, b"{\"pid\":1}".to_vec()),
            (Kind::Stdout, vec![b'x'; MAX_DATA]),
            (Kind::StdinEnd, Vec::new()),
            (Kind::Failed, vec![b'y'; 3 * MAX_DATA]),
            (Kind::Stderr, b"end".to_vec()),
        ];
        let mut wire = Vec::new();
        for (kind, payload) in &sent {
            write_frame(&mut wire, *kind, payload).expect("a Vec takes every write");
        }
        for piece in [1, 2, 4, 5, 6, 4096, MAX_DATA] {
            assert!(reassemble(&wire, piece) == sent, "pieces of {piece} bytes");
        }
    }

    #[test]
    fn what_is_no_frame_is_an_error_before_it_is_memory() {
        for bytes in [*b"?\0\0\0\0", *b"1\xff\xff\xff\xff"] {
            let mut buffer = FrameBuffer::default();
            buffer.space().expect("nothing is wrong yet")[..HEADER].copy_from_slice(&bytes);
            buffer.received(HEADER);
            assert!(buffer.next().is_err() && buffer.space().is_err(), "{bytes:?}");
        }
    }
}
