//! Bytes of a log to entries, whatever pieces they come in. Pure.
//!
//! What a container wrote is hostile, and so is a damaged file: what is no entry is passed over, and nothing here grows
//! beyond [`LONGEST`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use serde::Deserialize;

use super::{LogEntry, Stream};

/// Longest entry, in bytes: one of 16 KiB of text is never longer, however much of it is escaped, and with its labels.
const LONGEST: usize = 1024 * 1024;

/// How a log's files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Docker's JSON lines.
    Json,
    /// Kubernetes' lines.
    Kubernetes,
    /// Docker's `local`.
    Local,
}

pub(super) type Sink<'a> = dyn FnMut(&LogEntry<'_>) -> io::Result<()> + 'a;

/// Takes bytes, gives entries.
#[derive(Debug)]
pub(super) struct Decoder {
    format: Format,
    /// What is not yet a whole entry.
    rest: Vec<u8>,
    /// Entries to be passed over.
    skip: u64,
    /// The rest of this file makes no sense.
    lost: bool,
}

impl Decoder {
    pub(super) fn new(format: Format, skip: u64) -> Decoder {
        Decoder { format, rest: Vec::new(), skip, lost: false }
    }

    /// Takes the next bytes of a file, and hands every entry that is whole now to `sink`.
    pub(super) fn take(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> io::Result<()> {
        let begin = self.rest.len();
        self.rest.extend_from_slice(bytes);
        let used = match self.format {
            Format::Json => self.lines(begin, json, sink)?,
            Format::Kubernetes => self.lines(begin, kubernetes, sink)?,
            Format::Local => self.messages(sink)?,
        };
        self.rest.drain(..used);
        if self.rest.len() > LONGEST || self.lost {
            self.rest.clear();
        }
        Ok(())
    }

    /// `begin` is where the bytes are that were not looked at yet.
    fn lines(
        &mut self,
        begin: usize,
        parse: fn(&[u8]) -> Option<LogEntry<'_>>,
        sink: &mut Sink<'_>,
    ) -> io::Result<usize> {
        let Some(end) = self.rest[begin..].iter().rposition(|byte| *byte == b'\n') else { return Ok(0) };
        let whole = begin + end;
        for line in self.rest[..whole].split(|byte| *byte == b'\n') {
            if self.skip > 0 {
                self.skip -= 1;
            } else if let Some(entry) = parse(line) {
                sink(&entry)?;
            }
        }
        Ok(whole + 1)
    }

    fn messages(&mut self, sink: &mut Sink<'_>) -> io::Result<usize> {
        let mut used = 0;
        while let Some(length) = self.rest.get(used..).and_then(be32) {
            // Where one message is wrong, nobody knows where the next begins.
            self.lost = self.lost || length > LONGEST;
            let Some(message) = self.rest.get(used + 4..used + 8 + length).filter(|_| !self.lost) else { break };
            let (message, after) = message.split_at(length);
            if be32(after) != Some(length) {
                self.lost = true;
                break;
            }
            used += 8 + length;
            if self.skip > 0 {
                self.skip -= 1;
            } else if let Some(entry) = local(message) {
                sink(&entry)?;
            }
        }
        Ok(used)
    }
}

/// Counts entries as [`Decoder`] passes over them: also those that make no sense.
#[derive(Debug)]
pub(super) struct Counter {
    format: Format,
    rest: Vec<u8>,
    pub(super) count: u64,
}

impl Counter {
    pub(super) fn new(format: Format) -> Counter {
        Counter { format, rest: Vec::new(), count: 0 }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.format != Format::Local {
            self.count += bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
            return;
        }
        self.rest.extend_from_slice(bytes);
        let mut used = 0;
        while let Some(length) = self.rest.get(used..).and_then(be32).filter(|length| *length <= LONGEST) {
            if self.rest.len() < used + 8 + length {
                break;
            }
            used += 8 + length;
            self.count += 1;
        }
        self.rest.drain(..used);
        if self.rest.len() > LONGEST + 8 {
            self.rest.clear();
        }
    }
}

/// A length of `local`: four bytes, the largest first.
pub(super) fn be32(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes) as usize)
}

#[derive(Deserialize)]
struct JsonLine<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    stream: Stream,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(default)]
    attrs: BTreeMap<String, String>,
}

fn json(line: &[u8]) -> Option<LogEntry<'_>> {
    let line: JsonLine<'_> = serde_json::from_slice(line).ok()?;
    let text = match line.log {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    Some(LogEntry { text, stream: line.stream, time: line.time.parse().ok()?, attributes: line.attrs })
}

/// `TIME STREAM F|P TEXT`.
fn kubernetes(line: &[u8]) -> Option<LogEntry<'_>> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let (time, stream, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let text = parts.next().unwrap_or_default();
    let text = if kind.starts_with(b"P") { Cow::Borrowed(text) } else { Cow::Owned([text, b"\n"].concat()) };
    let time = std::str::from_utf8(time).ok()?.parse().ok()?;
    Some(LogEntry { text, stream: Stream::from_name(stream)?, time, attributes: BTreeMap::new() })
}

/// A message of docker's `local`.
fn local(message: &[u8]) -> Option<LogEntry<'_>> {
    let (mut stream, mut time, mut text, mut partial, mut is_last) = (None, 0, &[][..], false, false);
    let mut fields = Fields(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(name)) => stream = Stream::from_name(name),
            (2, Field::Number(nanoseconds)) => time = nanoseconds,
            (3, Field::Bytes(line)) => text = line,
            (4, Field::Number(number)) => partial = number != 0,
            // Docker calls the last part of a line partial as well, and says here that it is the last.
            (5, Field::Bytes(part)) => is_last = is_last_part(part),
            _ => {}
        }
    }
    let text = if partial && !is_last { Cow::Borrowed(text) } else { Cow::Owned([text, b"\n"].concat()) };
    let time = Timestamp::from_nanosecond(time.cast_signed().into()).ok()?;
    Some(LogEntry { text, stream: stream?, time, attributes: BTreeMap::new() })
}

/// Whether no more of a line follows.
fn is_last_part(message: &[u8]) -> bool {
    let mut fields = Fields(message);
    while let Some(Some(field)) = fields.next() {
        if let (1, Field::Number(number)) = field {
            return number != 0;
        }
    }
    false
}

/// The fields of a protobuf message.
struct Fields<'a>(&'a [u8]);

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    /// The next field, `Some(None)` at the end, `None` for what is no message.
    #[expect(clippy::option_option, reason = "wrong and ended are two things, and neither is an error to be worded")]
    fn next(&mut self) -> Option<Option<(u64, Field<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => Field::Bytes(self.bytes(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.bytes(length)?)
            }
            5 => Field::Bytes(self.bytes(4)?),
            _ => return None,
        };
        Some(Some((key >> 3, field)))
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = br#"{"log":"a \u001b\n","stream":"stderr","attrs":{"tag":"x"},"time":"2026-08-05T12:00:00.5Z"}
nonsense
{"log":"b","stream":"stdout","time":"2026-08-05T12:00:01Z"}
"#;
    const KUBERNETES: &[u8] =
        b"2026-08-05T12:00:00.5Z stderr F a \x1b\nnonsense\n2026-08-05T14:00:01+02:00 stdout P b\n";

    fn local_bytes() -> Vec<u8> {
        let message = |stream: &str, nanoseconds: u64, text: &str, partial: bool| {
            let mut message = vec![10, 6];
            message.extend(stream.as_bytes());
            message.push(16);
            let mut rest = nanoseconds;
            while rest >= 0x80 {
                message.push(rest.to_le_bytes()[0] | 0x80);
                rest >>= 7;
            }
            message.extend([rest.to_le_bytes()[0], 26, u8::try_from(text.len()).expect("is short")]);
            message.extend(text.as_bytes());
            if partial {
                message.extend([32, 1, 42, 2, 24, 1]);
            }
            let length = u32::try_from(message.len()).expect("is short").to_be_bytes();
            [&length, &message[..], &length].concat()
        };
        let nonsense = [0, 0, 0, 1, 7, 0, 0, 0, 1];
        let (first, second) = (1_785_931_200_500_000_000, 1_785_931_201_000_000_000);
        [message("stderr", first, "a \x1b", false), nonsense.into(), message("stdout", second, "b", true)].concat()
    }

    fn decode(format: Format, skip: u64, bytes: &[u8], step: usize) -> Vec<(String, Stream, String)> {
        let mut decoder = Decoder::new(format, skip);
        let mut found = Vec::new();
        for piece in bytes.chunks(step) {
            let mut sink = |entry: &LogEntry<'_>| {
                found.push((String::from_utf8_lossy(&entry.text).into_owned(), entry.stream, entry.time.to_string()));
                Ok(())
            };
            decoder.take(piece, &mut sink).expect("the sink takes everything");
        }
        found
    }

    #[test]
    fn every_format_in_pieces_of_any_size() {
        let expected = [
            ("a \x1b\n".to_owned(), Stream::Stderr, "2026-08-05T12:00:00.5Z".to_owned()),
            ("b".to_owned(), Stream::Stdout, "2026-08-05T12:00:01Z".to_owned()),
        ];
        let cases =
            [(Format::Json, JSON.to_vec()), (Format::Kubernetes, KUBERNETES.to_vec()), (Format::Local, local_bytes())];
        for (format, bytes) in cases {
            for step in [1, 2, 7, 1000] {
                assert_eq!(decode(format, 0, &bytes, step), expected, "{format:?} {step}");
                assert_eq!(decode(format, 1, &bytes, step), expected[1..], "{format:?} {step}");
                assert_eq!(decode(format, 2, &bytes, step), expected[1..], "{format:?} {step}");
                let mut counter = Counter::new(format);
                bytes.chunks(step).for_each(|piece| counter.take(piece));
                assert_eq!(counter.count, 3, "{format:?} {step}");
            }
        }
    }

    #[test]
    fn a_wrong_length_ends_a_file_and_not_the_program() {
        let good = local_bytes();
        for wrong in [[0xff, 0xff, 0xff, 0xff], [0, 0, 0, 9]] {
            let bytes = [&good[..], &wrong, &[1; 100], &good[..]].concat();
            assert_eq!(decode(Format::Local, 0, &bytes, 64).len(), 2);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, step in 1..50_usize, skip in 0..5_u64) {
            for format in [Format::Json, Format::Kubernetes, Format::Local] {
                decode(format, skip, &bytes, step);
                let good = local_bytes();
                let mixed = [&good[..bytes.len().min(good.len())], &bytes[..], JSON, KUBERNETES].concat();
                decode(format, skip, &mixed, step);
                let mut counter = Counter::new(format);
                mixed.chunks(step).for_each(|piece| counter.take(piece));
            }
            let _ = (local(&bytes), json(&bytes), kubernetes(&bytes));
        }
    }
}
