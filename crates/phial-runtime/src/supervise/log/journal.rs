//! Entries for the journal of systemd (`JOURNAL_NATIVE_PROTOCOL.md`), with docker's fields: datagrams, one each.
//!
//! A journal that is slow makes the container wait, but not for long: entries that come together wait [`PATIENCE`]
//! together. After that they are lost until it takes one at once.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use runtime::protocol::log::Log;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_send_buffer_size, set_socket_timeout};
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};

use super::Stream;
use super::record::Piece;

const SOCKET: &str = "/run/systemd/journal/socket";

/// How long is waited for entries that come together.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

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
    /// Until when entries wait.
    until: Instant,
    /// How many entries were sent.
    ordinal: u64,
}

impl Journal {
    pub(super) fn open(log: &Log) -> io::Result<Journal> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        // More than the host allows is not had, and then long entries are lost.
        set_socket_send_buffer_size(&socket, BUFFER).ok();
        let mut fields = Vec::new();
        for (name, value) in &log.attributes {
            append(&mut fields, name, value.as_bytes());
        }
        let address = SocketAddrUnix::new(SOCKET)?;
        Ok(Journal { socket, address, fields, answers: true, until: Instant::now(), ordinal: 0 })
    }

    /// Until when the entries that follow wait, together.
    pub(super) fn wait_until(&mut self, until: Option<Instant>) {
        self.until = until.unwrap_or_else(|| Instant::now() + PATIENCE);
    }

    pub(super) fn write(&mut self, piece: &Piece<'_>) {
        self.ordinal += 1;
        let entry = entry(&self.fields, self.ordinal, piece);
        self.answers = match self.send(&entry, SendFlags::DONTWAIT) {
            Err(Errno::AGAIN) if self.answers => self.send_in_time(&entry),
            sent => sent.is_ok(),
        };
    }

    /// Sends an entry for which there is no room yet; whether there was in time.
    fn send_in_time(&self, entry: &[u8]) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        // None left would mean to wait for ever.
        !left.is_zero()
            && set_socket_timeout(&self.socket, Timeout::Send, Some(left)).is_ok()
            && self.send(entry, SendFlags::empty()).is_ok()
    }

    fn send(&self, entry: &[u8], flags: SendFlags) -> Result<(), Errno> {
        loop {
            match sendto(&self.socket, entry, flags | SendFlags::NOSIGNAL, &self.address) {
                Err(Errno::INTR) => {}
                other => return other.map(drop),
            }
        }
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
    use std::os::unix::net::UnixDatagram;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jiff::Timestamp;

    use super::super::{Partial, Writer};
    use super::*;

    /// What a journal that takes 50 entries a second has got after this was done.
    fn got_by_a_slow_journal(work: impl FnOnce(&mut super::super::Log)) -> usize {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let receiver = UnixDatagram::bind(&path).expect("binds");
        let got = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let take = || {
                // Until the end, which is an empty entry.
                while receiver.recv(&mut [0; 256]).expect("receives") > 0 {
                    got.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(20));
                }
            };
            let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
            let address = SocketAddrUnix::new(&path).expect("is short");
            let (socket, fields) = (socket.expect("a socket"), Vec::new());
            let journal = Journal { socket, address, fields, answers: true, until: Instant::now(), ordinal: 0 };
            let partial = [Partial::default(), Partial::default()];
            let mut log = super::super::Log { driver: Writer::Journal(journal), partial, until: None };
            scope.spawn(take);
            work(&mut log);
            let got = got.load(Ordering::Relaxed);
            let end = UnixDatagram::unbound().expect("a socket");
            end.send_to(&[], &path).expect("sends");
            got
        })
    }

    #[test]
    fn a_slow_journal_makes_nobody_wait_for_each_entry() {
        let lines = "line\n".repeat(5000);
        let one = got_by_a_slow_journal(|log| log.write(Stream::Stdout, lines.as_bytes(), Timestamp::UNIX_EPOCH));
        assert!(one < 1000, "{one} entries were waited for");
        let last = got_by_a_slow_journal(|log| {
            log.until = Some(Instant::now() + PATIENCE);
            (0..20).for_each(|_| log.write(Stream::Stdout, lines.as_bytes(), Timestamp::UNIX_EPOCH));
            log.finish(Timestamp::UNIX_EPOCH);
        });
        assert!(last < 500, "{last} entries were waited for");
    }

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
