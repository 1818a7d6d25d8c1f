//! Protocol buffers, as far as criu's requests and answers need them (encoding of `proto2`: numbers, strings, messages).

/// A message that is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

/// Wire types.
const NUMBER: u64 = 0;
const LENGTH: u64 = 2;

impl Message {
    fn varint(&mut self, mut value: u64) {
        loop {
            let low = value.to_le_bytes()[0] & 0x7f;
            value >>= 7;
            if value == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    /// A number, an enum's too.
    pub(super) fn number(&mut self, field: u32, value: u64) -> &mut Message {
        self.varint(u64::from(field) << 3 | NUMBER);
        self.varint(value);
        self
    }

    /// A flag.
    pub(super) fn flag(&mut self, field: u32, value: bool) -> &mut Message {
        self.number(field, value.into())
    }

    /// A string.
    pub(super) fn text(&mut self, field: u32, text: &str) -> &mut Message {
        self.bytes(field, text.as_bytes())
    }

    /// A message in this one.
    pub(super) fn message(&mut self, field: u32, message: &Message) -> &mut Message {
        self.bytes(field, &message.0)
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) -> &mut Message {
        self.varint(u64::from(field) << 3 | LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Its bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The value of a field that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A number, flag or enum.
    Number(u64),
    /// A string or message.
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers, up to the first that cannot be read.
pub(super) fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let tag = take_varint(&mut rest)?;
        let value = match tag & 7 {
            NUMBER => Value::Number(take_varint(&mut rest)?),
            LENGTH => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                let (bytes, after) = rest.split_at_checked(length)?;
                rest = after;
                Value::Bytes(bytes)
            }
            _ => return None,
        };
        Some((tag >> 3, value))
    })
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut inner = Message::default();
        inner.text(1, "key").number(2, 300);
        let mut message = Message::default();
        message.number(1, 7).flag(3, true).message(23, &inner).number(38, u64::MAX);
        // The example of the encoding's documentation: 300 is ac 02.
        assert_eq!(inner.as_bytes(), [0x0a, 3, b'k', b'e', b'y', 0x10, 0xac, 0x02]);
        let read: Vec<_> = fields(message.as_bytes()).collect();
        let expected = [
            (1, Value::Number(7)),
            (3, Value::Number(1)),
            (23, Value::Bytes(inner.as_bytes())),
            (38, Value::Number(u64::MAX)),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn nonsense_ends_it() {
        for bytes in [&[0x08][..], &[0x0a, 5, 1], &[0xff; 12], &[0x0d, 0, 0, 0, 0]] {
            assert_eq!(fields(bytes).count(), 0, "{bytes:?}");
        }
    }
}
