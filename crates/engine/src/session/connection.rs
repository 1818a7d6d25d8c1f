//! A connection to a supervisor: whole frames in either direction, with the descriptors that travel with them.
//!
//! It knows the wire (`runtime::protocol`), not what a conversation means.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use runtime::protocol::{Kind, header};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use serde::Serialize;

use super::frames::FrameBuffer;

/// A connection, with what was received and not yet used.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    buffer: FrameBuffer,
    descriptors: Vec<OwnedFd>,
}

/// What [`Connection::fill`] found on the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// Bytes, perhaps whole frames.
    Some,
    /// Nothing now.
    Nothing,
    /// The peer has closed.
    Closed,
}

impl Connection {
    /// Takes over a connected stream socket. No other reference to the open socket may be used any more.
    pub fn new(socket: impl Into<OwnedFd>) -> Connection {
        Connection { socket: socket.into(), buffer: FrameBuffer::default(), descriptors: Vec::new() }
    }

    /// Connects to the socket `name` in the open directory `directory`.
    ///
    /// Through the directory's descriptor, because a path longer than 107 bytes does not fit a socket address
    /// (`unix(7)`).
    ///
    /// # Errors
    /// Those of `connect(2)`: `ECONNREFUSED` and `ENOENT` when no supervisor listens.
    pub fn connect(directory: BorrowedFd<'_>, name: &str) -> io::Result<Connection> {
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd());
        Ok(Connection::new(UnixStream::connect(path)?))
    }

    /// Sends one frame with a JSON payload, and descriptors with its first byte. Blocks.
    ///
    /// # Errors
    /// Those of `sendmsg(2)`: `EPIPE` when the peer is gone (`SIGPIPE` is not raised).
    pub fn send(&mut self, kind: Kind, payload: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_bytes(kind, &serde_json::to_vec(payload)?, descriptors)
    }

    /// Sends one frame without payload. Blocks.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn send_empty(&mut self, kind: Kind) -> io::Result<()> {
        self.send_bytes(kind, &[], &[])
    }

    fn send_bytes(&mut self, kind: Kind, payload: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut frame = header(kind, payload.len()).to_vec();
        frame.extend_from_slice(payload);
        let mut rest = frame.as_slice();
        let mut descriptors = descriptors;
        while !rest.is_empty() {
            match sys::fdpass::send(&self.socket, rest, descriptors) {
                Ok(sent) => {
                    rest = &rest[sent..];
                    descriptors = &[];
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// The next frame: kind and payload. Blocks; None when the peer has closed. Descriptors that came up to here are
    /// in [`Connection::take_descriptors`].
    ///
    /// # Errors
    /// Those of `recvmsg(2)`, `InvalidData` for what is not a frame, `UnexpectedEof` for half of one.
    pub fn receive(&mut self) -> io::Result<Option<(Kind, Vec<u8>)>> {
        loop {
            if let Some((kind, payload)) = self.buffer.next()? {
                return Ok(Some((kind, self.buffer.payload(payload).to_vec())));
            }
            match sys::fdpass::receive(&self.socket, self.buffer.space()?) {
                Ok((0, _)) if self.buffer.is_partial() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((0, _)) | Err(Errno::CONNRESET) => return Ok(None),
                Ok((count, descriptors)) => {
                    self.buffer.received(count);
                    self.descriptors.extend(descriptors);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The descriptors that were received and not yet taken, in the order of their arrival.
    pub fn take_descriptors(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.descriptors)
    }

    /// Receives what is there, without waiting. Descriptors are dropped: none are expected while streams flow.
    pub(super) fn fill(&mut self) -> io::Result<Fill> {
        match recv(&self.socket, self.buffer.space()?, RecvFlags::DONTWAIT) {
            Ok((_, 0)) | Err(Errno::CONNRESET) => Ok(Fill::Closed),
            Ok((_, count)) => {
                self.buffer.received(count);
                Ok(Fill::Some)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(Fill::Nothing),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The next frame that is already here.
    pub(super) fn next(&mut self) -> io::Result<Option<(Kind, Range<usize>)>> {
        self.buffer.next()
    }

    /// The payload of a frame that [`Connection::next`] told of; valid until the next receiving call.
    pub(super) fn payload(&self, payload: Range<usize>) -> &[u8] {
        self.buffer.payload(payload)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
