//! One piece of output in each of the formats of files. Pure.
//!
//! - `json-file`: docker's, `{"log":"text\n","stream":"stdout","attrs":{…},"time":"…"}`. Text that is not UTF-8 loses what is
//!   wrong with it.
//! - `k8s-file`: Kubernetes' (CRI), `TIME STREAM F text`, with `P` for all parts of a long line but the last.
//! - `local`: docker's, a protobuf message between its length and its length, four bytes each, the largest first. Its
//!   fields: 1 stream, 2 nanoseconds since 1970, 3 text without newline, 4 whether more of the line follows, 5 which part
//!   this is (1 whether the last, 2 what the parts are called together, 3 its number).

use std::collections::BTreeMap;

use jiff::Timestamp;
use runtime::protocol::log::Driver;
use serde::{Serialize, Serializer};

use super::Stream;

/// A line, or a part of one that is too long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// With the newline, if it came.
    pub(super) text: &'a [u8],
    pub(super) stream: Stream,
    pub(super) time: Timestamp,
    /// Which part of the line this is; the first is 1.
    pub(super) part: u32,
    /// What the parts of the line are called together; of a line in one piece it means nothing.
    pub(super) id: &'a str,
}

impl Piece<'_> {
    /// Whether no more of the line follows.
    pub(super) fn is_last(&self) -> bool {
        self.text.ends_with(b"\n")
    }

    /// Whether the line is in more than one piece.
    pub(super) fn is_part(&self) -> bool {
        self.part > 1 || !self.is_last()
    }

    /// The text without its end.
    pub(super) fn line(&self) -> &[u8] {
        self.text.strip_suffix(b"\n").unwrap_or(self.text)
    }
}

#[derive(Serialize)]
struct Line<'a> {
    log: &'a str,
    stream: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attrs: Option<&'a BTreeMap<String, String>>,
    #[serde(serialize_with = "rfc3339")]
    time: Timestamp,
}

fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// Appends a piece to `out`.
pub(super) fn append(out: &mut Vec<u8>, driver: Driver, piece: &Piece<'_>, attributes: &BTreeMap<String, String>) {
    match driver {
        Driver::JsonFile => json(out, piece, attributes),
        Driver::K8sFile => kubernetes(out, piece),
        Driver::Local => local(out, piece),
        Driver::Journald => {}
    }
}

fn json(out: &mut Vec<u8>, piece: &Piece<'_>, attributes: &BTreeMap<String, String>) {
    let log = String::from_utf8_lossy(piece.text);
    let attrs = Some(attributes).filter(|attributes| !attributes.is_empty());
    let line = Line { log: &log, stream: piece.stream.name(), attrs, time: piece.time };
    if serde_json::to_writer(&mut *out, &line).is_ok() {
        out.push(b'\n');
    }
}

fn kubernetes(out: &mut Vec<u8>, piece: &Piece<'_>) {
    let kind = if piece.is_last() { 'F' } else { 'P' };
    out.extend_from_slice(format!("{:.9} {} {kind} ", piece.time, piece.stream.name()).as_bytes());
    out.extend_from_slice(piece.line());
    out.push(b'\n');
}

fn local(out: &mut Vec<u8>, piece: &Piece<'_>) {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    field(out, 1, piece.stream.name().as_bytes());
    number(out, 2, u64::try_from(piece.time.as_nanosecond()).unwrap_or_default());
    field(out, 3, piece.line());
    if !piece.is_last() {
        number(out, 4, 1);
    }
    if piece.is_part() {
        let mut part = Vec::new();
        if piece.is_last() {
            number(&mut part, 1, 1);
        }
        field(&mut part, 2, piece.id.as_bytes());
        number(&mut part, 3, piece.part.into());
        field(out, 5, &part);
    }
    let length = u32::try_from(out.len() - begin - 4).unwrap_or_default().to_be_bytes();
    out[begin..begin + 4].copy_from_slice(&length);
    out.extend_from_slice(&length);
}

/// A field of bytes (protobuf's wire type 2).
fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A field that is a number (protobuf's wire type 0).
fn number(out: &mut Vec<u8>, tag: u8, value: u64) {
    out.push(tag << 3);
    varint(out, value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Of the beginning of a `local` file, how many bytes are whole messages.
pub(super) fn whole_messages(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while let Some(length) = bytes.get(whole..whole + 4) {
        let length = <[u8; 4]>::try_from(length).map_or(0, u32::from_be_bytes) as usize;
        let end = whole + 4 + length;
        if bytes.get(end..end + 4) != bytes.get(whole..whole + 4) {
            break;
        }
        whole = end + 4;
    }
    whole
}
