//! Messages (D-Bus specification, "Message Protocol").

use super::wire::{Reader, Writer};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cgroup::systemd) enum Kind {
    /// Somebody calls a method.
    Call = 1,
    /// Its result.
    Return = 2,
    /// Its failure.
    Error = 3,
    /// Something has happened.
    Signal = 4,
}

/// Codes of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// Bytes before the header fields: order, kind, flags, version, length of the body, serial, length of the fields.
pub(super) const PREFIX: usize = 16;
/// The most a message may have.
const MOST: usize = 1 << 27;

/// A method to be called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) destination: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) signature: &'a str,
}

impl Call<'_> {
    /// The whole message.
    pub(super) fn to_bytes(self, serial: u32, body: &[u8]) -> Vec<u8> {
        let mut fields = vec![(PATH, "o", self.path), (INTERFACE, "s", self.interface), (MEMBER, "s", self.member)];
        fields.extend(self.destination.map(|destination| (DESTINATION, "s", destination)));
        fields.extend((!self.signature.is_empty()).then_some((SIGNATURE, "g", self.signature)));
        let mut writer = Writer::default();
        writer.raw(&[b'l', Kind::Call as u8, 0, 1]);
        writer.u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
        writer.u32(serial);
        writer.array(8, &fields, |writer, (code, kind, value)| {
            writer.align(8);
            writer.raw(&[*code]);
            writer.signature(kind);
            if *kind == "g" { writer.signature(value) } else { writer.text(value) }
        });
        writer.align(8);
        writer.raw(body);
        writer.into_bytes()
    }
}

/// A message that came.
#[derive(Debug, Clone)]
pub(in crate::cgroup::systemd) struct Message {
    pub(super) kind: Option<Kind>,
    pub(super) reply_to: u32,
    /// Name of a failure.
    pub(in crate::cgroup::systemd) error: String,
    /// Name of a signal.
    pub(in crate::cgroup::systemd) member: String,
    /// Types of the body.
    pub(in crate::cgroup::systemd) signature: String,
    pub(super) body: Vec<u8>,
}

/// How many bytes a message has, by its first [`PREFIX`] ones; None if that is none.
pub(super) fn length(prefix: &[u8; PREFIX]) -> Option<usize> {
    // Everybody on this machine writes in its order.
    if prefix[0] != b'l' || prefix[3] != 1 {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(prefix[at..at + 4].try_into().ok()?) as usize);
    let length = (PREFIX + number(12)?).next_multiple_of(8).checked_add(number(4)?)?;
    (length <= MOST).then_some(length)
}

impl Message {
    /// Reads a whole message.
    pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
        let mut reader = Reader::new(bytes);
        let start = reader.take(4)?;
        let kinds = [Kind::Call, Kind::Return, Kind::Error, Kind::Signal];
        let kind = kinds.into_iter().find(|kind| *kind as u8 == start[1]);
        let (body_length, _serial, fields_length) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let end = PREFIX.checked_add(usize::try_from(fields_length).ok()?)?;
        let (error, member, signature) = (String::new(), String::new(), String::new());
        let mut message = Message { kind, reply_to: 0, error, member, signature, body: Vec::new() };
        while reader.position() < end {
            message.field(&mut reader)?;
        }
        reader.align(8);
        message.body = reader.take(usize::try_from(body_length).ok()?)?.to_vec();
        Some(message)
    }

    fn field(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        reader.align(8);
        let code = reader.byte()?;
        match (code, reader.signature()?) {
            (REPLY_SERIAL, "u") => self.reply_to = reader.u32()?,
            (SIGNATURE, "g") => reader.signature()?.clone_into(&mut self.signature),
            (ERROR_NAME, "s") => reader.text()?.clone_into(&mut self.error),
            (MEMBER, "s") => reader.text()?.clone_into(&mut self.member),
            (_, "s" | "o") => drop(reader.text()?),
            (_, "u") => drop(reader.u32()?),
            (_, "g") => drop(reader.signature()?),
            _ => return None,
        }
        Some(())
    }

    /// Its values.
    pub(in crate::cgroup::systemd) fn values(&self) -> Reader<'_> {
        Reader::new(&self.body)
    }
}
