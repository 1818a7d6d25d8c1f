//! One connection of an engine: frames in, frames out, never blocking.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use runtime::protocol::{self, HEADER, Kind};
use rustix::io::Errno;
use serde::Serialize;

use super::poll::Interest;

/// Above this many bytes not yet taken by a client, the container's output is no longer read until it catches up.
const HIGH_WATER: usize = 256 * 1024;

/// What a client came for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It has not said yet.
    New,
    /// Gets the container's output and its end; may write to stdin.
    Attached { stdin: bool },
    /// Gets the container's end.
    Waiting,
    /// Has asked for the container's end, and gets it once it stays so; with the lock, if it wants that.
    Stopping { hand_over: bool },
    /// Gets the end of the further process it asked for.
    Process(rustix::process::Pid),
    /// Has paused the container for as long as it is there.
    Pausing,
    /// Gets what is still to be sent, then the connection ends.
    Leaving,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    socket: UnixStream,
    pub(super) role: Role,
    received: Vec<u8>,
    /// Descriptors that came along, for the frame being received.
    descriptors: Vec<OwnedFd>,
    pending: VecDeque<u8>,
    gone: bool,
    watched: Interest,
}

/// A frame as received.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) payload: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Client {
    pub(super) fn new(socket: UnixStream, role: Role) -> Result<Client, Errno> {
        super::set_nonblocking(socket.as_fd())?;
        let (received, descriptors, pending) = Default::default();
        Ok(Client { socket, role, received, descriptors, pending, gone: false, watched: Interest::READ })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the peer has closed, or broke the protocol.
    pub(super) fn is_gone(&self) -> bool {
        self.gone || (self.role == Role::Leaving && self.pending.is_empty())
    }

    /// Whether something waits to be sent.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether the container's output must wait for this client. Not for one that has been told how its run has ended:
    /// what is written now is not for it.
    pub(super) fn is_behind(&self) -> bool {
        self.role != Role::Leaving && self.pending.len() > HIGH_WATER
    }

    /// Notes what its connection, which was added for reading, is watched for from now on; whether that is something else.
    pub(super) fn is_watched_anew(&mut self, interest: Interest) -> bool {
        std::mem::replace(&mut self.watched, interest) != interest
    }

    /// Takes what has arrived; whole frames come back.
    pub(super) fn receive(&mut self) -> Vec<Frame> {
        let mut buffer = [0; 16 * 1024];
        match sys::fdpass::receive(&self.socket, &mut buffer) {
            Ok((0, _)) => self.gone = true,
            Ok((count, descriptors)) => {
                self.received.extend_from_slice(&buffer[..count]);
                self.descriptors.extend(descriptors);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.gone = true,
        }
        let mut frames = Vec::new();
        while let Some(frame) = self.next_frame() {
            frames.push(frame);
        }
        frames
    }

    fn next_frame(&mut self) -> Option<Frame> {
        let header: [u8; HEADER] = self.received.get(..HEADER)?.try_into().ok()?;
        let Ok((kind, length)) = protocol::parse_header(header) else {
            self.gone = true;
            return None;
        };
        let payload = self.received.get(HEADER..HEADER + length)?.to_vec();
        self.received.drain(..HEADER + length);
        if self.received.is_empty() {
            self.received = Vec::new();
        }
        Some(Frame { kind, payload, descriptors: std::mem::take(&mut self.descriptors) })
    }

    /// Sends a frame with a JSON payload.
    pub(super) fn send_control(&mut self, kind: Kind, payload: &impl Serialize) {
        if let Ok(payload) = serde_json::to_vec(payload) {
            self.send(kind, &payload);
        }
    }

    /// Sends a frame whose first byte carries a descriptor; on a fresh connection, where nothing is pending.
    pub(super) fn send_with_descriptor(&mut self, kind: Kind, payload: &[u8], descriptor: BorrowedFd<'_>) {
        let mut frame = protocol::header(kind, payload.len()).to_vec();
        frame.extend_from_slice(payload);
        match sys::fdpass::send(&self.socket, &frame, &[descriptor]) {
            Ok(count) => self.pending.extend(&frame[count..]),
            Err(_) => self.gone = true,
        }
    }

    /// Sends a frame, as far as it goes at once; the rest is kept.
    pub(super) fn send(&mut self, kind: Kind, payload: &[u8]) {
        let header = protocol::header(kind, payload.len());
        if self.pending.is_empty() {
            let mut frame = header.to_vec();
            frame.extend_from_slice(payload);
            let sent = self.write(&frame);
            self.pending.extend(&frame[sent..]);
        } else {
            self.pending.extend(header);
            self.pending.extend(payload);
        }
    }

    /// Sends what is pending, as far as it goes.
    pub(super) fn flush(&mut self) {
        while !self.pending.is_empty() {
            let chunk: Vec<u8> = self.pending.as_slices().0.to_vec();
            let sent = self.write(&chunk);
            self.pending.drain(..sent);
            if sent < chunk.len() {
                return;
            }
        }
        self.pending = VecDeque::new();
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        if self.gone {
            return bytes.len();
        }
        match sys::fdpass::send(&self.socket, bytes, &[]) {
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(_) => {
                self.gone = true;
                bytes.len()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Client, HIGH_WATER, Kind, Role, UnixStream};

    #[test]
    fn only_who_gets_output_holds_it_up() {
        let (ours, _unread) = UnixStream::pair().expect("a pair of sockets");
        let mut client = Client::new(ours, Role::Attached { stdin: false }).expect("non-blocking");
        let bytes = vec![0; HIGH_WATER];
        while client.pending.len() <= HIGH_WATER {
            client.send(Kind::Stdout, &bytes);
        }
        assert!(client.is_behind());
        client.role = Role::Leaving;
        assert!(!client.is_behind() && client.has_pending() && !client.is_gone());
    }
}
