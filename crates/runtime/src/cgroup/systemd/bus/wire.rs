//! Values as bytes (D-Bus specification, "Marshaling (Wire Format)"): everything is aligned to its own size, counted from
//! the start of the message, little endian.

/// A value of a property, as a variant carries it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cgroup::systemd) enum Value {
    /// `b`.
    Bool(bool),
    /// `y`.
    Byte(u8),
    /// `n`.
    I16(i16),
    /// `q`.
    U16(u16),
    /// `i`.
    I32(i32),
    /// `u`.
    U32(u32),
    /// `x`.
    I64(i64),
    /// `t`.
    U64(u64),
    /// `d`.
    Double(f64),
    /// `s`.
    Text(String),
    /// `ay`.
    Bytes(Vec<u8>),
    /// `au`.
    Numbers(Vec<u32>),
    /// `as`.
    Texts(Vec<String>),
    /// `a(ss)`.
    Pairs(Vec<(String, String)>),
}

impl Value {
    /// The signature of its type.
    pub(in crate::cgroup::systemd) fn signature(&self) -> &'static str {
        match self {
            Value::Bool(_) => "b",
            Value::Byte(_) => "y",
            Value::I16(_) => "n",
            Value::U16(_) => "q",
            Value::I32(_) => "i",
            Value::U32(_) => "u",
            Value::I64(_) => "x",
            Value::U64(_) => "t",
            Value::Double(_) => "d",
            Value::Text(_) => "s",
            Value::Bytes(_) => "ay",
            Value::Numbers(_) => "au",
            Value::Texts(_) => "as",
            Value::Pairs(_) => "a(ss)",
        }
    }
}

/// Bytes being written.
#[derive(Debug, Default)]
pub(in crate::cgroup::systemd) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// What was written.
    pub(in crate::cgroup::systemd) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Zeroes up to a multiple of `size`.
    pub(in crate::cgroup::systemd) fn align(&mut self, size: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(size), 0);
    }

    /// Bytes as they are.
    pub(in crate::cgroup::systemd) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A number, aligned to its size.
    fn fixed<const SIZE: usize>(&mut self, bytes: [u8; SIZE]) {
        self.align(SIZE);
        self.raw(&bytes);
    }

    /// `u`.
    pub(in crate::cgroup::systemd) fn u32(&mut self, number: u32) {
        self.fixed(number.to_le_bytes());
    }

    /// `b`.
    pub(in crate::cgroup::systemd) fn bool(&mut self, value: bool) {
        self.u32(u32::from(value));
    }

    /// `s` or `o`: the length, the text, a zero.
    pub(in crate::cgroup::systemd) fn text(&mut self, text: &str) {
        self.u32(length(text.len()));
        self.raw(text.as_bytes());
        self.raw(&[0]);
    }

    /// `g`: a text whose length is one byte.
    pub(in crate::cgroup::systemd) fn signature(&mut self, signature: &str) {
        self.raw(&[u8::try_from(signature.len()).unwrap_or(u8::MAX)]);
        self.raw(signature.as_bytes());
        self.raw(&[0]);
    }

    /// An array whose elements are aligned to `alignment`. Its length does not count the gap before the first element.
    pub(in crate::cgroup::systemd) fn array<T>(
        &mut self,
        alignment: usize,
        elements: &[T],
        mut write: impl FnMut(&mut Writer, &T),
    ) {
        self.u32(0);
        let at = self.bytes.len() - 4;
        self.align(alignment);
        let start = self.bytes.len();
        for element in elements {
            write(self, element);
        }
        let size = length(self.bytes.len() - start);
        self.bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }

    /// `v`: the signature, then the value.
    pub(in crate::cgroup::systemd) fn variant(&mut self, value: &Value) {
        self.signature(value.signature());
        match value {
            Value::Bool(value) => self.bool(*value),
            Value::Byte(value) => self.raw(&[*value]),
            Value::I16(value) => self.fixed(value.to_le_bytes()),
            Value::U16(value) => self.fixed(value.to_le_bytes()),
            Value::I32(value) => self.fixed(value.to_le_bytes()),
            Value::U32(value) => self.u32(*value),
            Value::I64(value) => self.fixed(value.to_le_bytes()),
            Value::U64(value) => self.fixed(value.to_le_bytes()),
            Value::Double(value) => self.fixed(value.to_le_bytes()),
            Value::Text(value) => self.text(value),
            Value::Bytes(bytes) => self.array(1, bytes, |writer, byte| writer.raw(&[*byte])),
            Value::Numbers(numbers) => self.array(4, numbers, |writer, number| writer.u32(*number)),
            Value::Texts(texts) => self.array(4, texts, |writer, text| writer.text(text)),
            Value::Pairs(pairs) => self.array(8, pairs, |writer, (first, second)| {
                writer.align(8);
                writer.text(first);
                writer.text(second);
            }),
        }
    }

    /// `a(sv)`.
    pub(in crate::cgroup::systemd) fn properties(&mut self, properties: &[(String, Value)]) {
        self.array(8, properties, |writer, (name, value)| {
            writer.align(8);
            writer.text(name);
            writer.variant(value);
        });
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("messages are made of a configuration, which is far below 4 GB")
}

/// Bytes being read. Everything is None once they do not say what was asked for.
#[derive(Debug, Clone)]
pub(in crate::cgroup::systemd) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// From the start of a message, or of a body.
    pub(in crate::cgroup::systemd) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// How far it has come.
    pub(in crate::cgroup::systemd) fn position(&self) -> usize {
        self.at
    }

    /// Past the gap before something aligned to `size`.
    pub(in crate::cgroup::systemd) fn align(&mut self, size: usize) {
        self.at = self.at.next_multiple_of(size);
    }

    /// So many bytes.
    pub(in crate::cgroup::systemd) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    /// `y`.
    pub(in crate::cgroup::systemd) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// `u`.
    pub(in crate::cgroup::systemd) fn u32(&mut self) -> Option<u32> {
        self.align(4);
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// `s` or `o`.
    pub(in crate::cgroup::systemd) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.terminated(length)
    }

    /// `g`.
    pub(in crate::cgroup::systemd) fn signature(&mut self) -> Option<&'a str> {
        let length = usize::from(self.byte()?);
        self.terminated(length)
    }

    fn terminated(&mut self, length: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        (self.byte()? == 0).then_some(text)
    }
}
