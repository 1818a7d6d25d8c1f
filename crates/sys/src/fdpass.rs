//! Descriptors in control messages of unix sockets (`unix(7)`, `SCM_RIGHTS`).

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};

/// Most descriptors one message carries here.
pub const MOST: usize = 4;

/// Sends bytes with descriptors; the number of bytes taken is returned. No allocation.
///
/// # Errors
/// Those of `sendmsg(2)`; `SIGPIPE` is never raised.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::INVAL);
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
}

/// Receives bytes and the descriptors that came with them, close-on-exec; zero bytes mean the peer is gone.
///
/// # Errors
/// Those of `recvmsg(2)`.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let message = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
    let mut descriptors = Vec::new();
    for item in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = item {
            descriptors.extend(fds);
        }
    }
    Ok((message.bytes, descriptors))
}

/// The path of a socket, short enough for `sockaddr_un` however long the directory's is: it goes through
/// `/proc/self/fd`, and is valid as long as the value lives.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    _directory: File,
}

impl SocketPath {
    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.path
    }
}

/// The socket `name` in `directory`.
///
/// # Errors
/// Those of opening the directory.
pub fn socket_path(directory: &Path, name: &str) -> std::io::Result<SocketPath> {
    let opened = File::open(directory)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", opened.as_raw_fd()));
    Ok(SocketPath { path, _directory: opened })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_pipe_travels_over_a_socket() {
        let (left, right) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        assert_eq!(send(&left, b"x", &[writer.as_fd()]), Ok(1));
        drop(writer);
        let mut buffer = [0; 8];
        let (count, mut descriptors) = receive(&right, &mut buffer).expect("received");
        assert_eq!((count, descriptors.len()), (1, 1));
        let mut sent = std::fs::File::from(descriptors.remove(0));
        sent.write_all(b"through").expect("written");
        drop(sent);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("read");
        assert_eq!(text, "through");
    }
}
