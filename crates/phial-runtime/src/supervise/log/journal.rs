//! Entries for the journal of systemd (`JOURNAL_NATIVE_PROTOCOL.md`), with docker's fields: datagrams, one each.
//!
//! A journal that is slow makes the container wait, but not for long: after [`PATIENCE`] without an answer entries are
//! lost until it takes one at once.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use runtime::protocol::log::Log;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_send_buffer_size, set_socket_timeout};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};

use super::Stream;
use super::record::Piece;

const SOCKET: &str = "/run/systemd/journal/socket";

/// How long an entry is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes that a datagram may have: a line and the fields of every entry.
const BUFFER: usize = 512 * 1024;

/// Severities of syslog(3): docker's for the two streams.
const INFORMATION: &str = "6";
const ERROR: &str = "3";

#[derive(Debug)]
pub(super) struct Journal {
    socket: OwnedFd,
    address: SocketAddrUnix,
    /// The fields that every entry has, as they are sent.
    fields: Vec<u8>,
    /// Whether it took the last entry.
    answers: bool,
    /// How many entries were sent.
    ordinal: u64,
}

impl Journal {
    pub(super) fn open(log: &Log) -> io::Result<Journal> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        // More than the host allows is not had, and then long entries are lost.
        set_socket_send_buffer_size(&socket, BUFFER).ok();
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        let mut fields = Vec::new();
        for (name, value) in &log.attributes {
            append(&mut fields, name, value.as_bytes());
        }
        Ok(Journal { socket, address: SocketAddrUnix::new(SOCKET)?, fields, answers: true, ordinal: 0 })
    }

    pub(super) fn write(&mut self, piece: &Piece<'_>) {
        self.ordinal += 1;
        let entry = entry(&self.fields, self.ordinal, piece);
        let flags = if self.answers { SendFlags::NOSIGNAL } else { SendFlags::NOSIGNAL | SendFlags::DONTWAIT };
        let sent = loop {
            match sendto(&self.socket, &entry, flags, &self.address) {
                Err(Errno::INTR) => {}
                other => break other,
            }
        };
        self.answers = sent.is_ok();
    }
}

fn entry(fields: &[u8], ordinal: u64, piece: &Piece<'_>) -> Vec<u8> {
    let mut entry = fields.to_vec();
    append(&mut entry, "MESSAGE", piece.line());
    append(&mut entry, "PRIORITY", if piece.stream == Stream::Stderr { ERROR } else { INFORMATION }.as_bytes());
    append(&mut entry, "SYSLOG_TIMESTAMP", piece.time.to_string().as_bytes());
    append(&mut entry, "CONTAINER_LOG_ORDINAL", ordinal.to_string().as_bytes());
    if piece.is_part() {
        // As docker: the last part lacks the first of these fields, so that readers know where the line ends.
        if !piece.is_last() {
            append(&mut entry, "CONTAINER_PARTIAL_MESSAGE", b"true");
        }
        append(&mut entry, "CONTAINER_PARTIAL_ID", piece.id.as_bytes());
        append(&mut entry, "CONTAINER_PARTIAL_ORDINAL", piece.part.to_string().as_bytes());
        append(&mut entry, "CONTAINER_PARTIAL_LAST", piece.is_last().to_string().as_bytes());
    }
    entry
}

/// A field: on a line, or, where the value has line ends of its own, behind its length.
fn append(entry: &mut Vec<u8>, name: &str, value: &[u8]) {
    entry.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(value);
    entry.push(b'\n');
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn an_entry_cannot_say_more_than_its_message() {
        let time = Timestamp::from_nanosecond(1_500_000_000_123_000_000).expect("a time");
        let mut fields = Vec::new();
        append(&mut fields, "CONTAINER_NAME", b"web");
        let piece = Piece { text: b"a\rPRIORITY=0\n", stream: Stream::Stderr, time, part: 1, id: "" };
        let expected = "CONTAINER_NAME=web\nMESSAGE=a\rPRIORITY=0\nPRIORITY=3\nSYSLOG_TIMESTAMP=2017-07-14T02:40:00.123Z\n\
            CONTAINER_LOG_ORDINAL=7\n";
        assert_eq!(String::from_utf8(entry(&fields, 7, &piece)).expect("is text"), expected);
        fields.clear();
        append(&mut fields, "LABEL", b"a\nPRIORITY=0");
        assert_eq!(fields, b"LABEL\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\n");
    }
}
