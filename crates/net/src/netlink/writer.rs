//! Messages that are written, with their attributes: a length, a type, a value, zeros up to a multiple of four (`netlink(7)`; the
//! kernel's `nlattr`). Those of nftables have numbers in network order.

/// `NLA_F_NESTED`: the bit of a type that says that its value is attributes.
const NESTED: u16 = 0x8000;

/// Messages that are being written.
#[derive(Debug, Default, Clone)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    overflow: bool,
}

/// Where a message or an attribute that is being written begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start(usize);

impl Writer {
    /// All that was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All that was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Attributes that were written elsewhere, or a header that precedes attributes.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Changes the flags and the number of a message.
    pub(super) fn number(&mut self, start: Start, more_flags: u16, sequence: u32) {
        if let Some(flags) = self.bytes.get(start.0 + 6..).and_then(|bytes| bytes.first_chunk()) {
            let flags = u16::from_ne_bytes(*flags) | more_flags;
            self.bytes[start.0 + 6..start.0 + 8].copy_from_slice(&flags.to_ne_bytes());
            self.bytes[start.0 + 8..start.0 + 12].copy_from_slice(&sequence.to_ne_bytes());
        }
    }

    /// Whether an attribute was too long to be one: what was written is not what was meant.
    pub(crate) fn overflow(&self) -> bool {
        self.overflow
    }

    /// Begins a message: `nlmsghdr`, and the header of its kind behind it.
    pub(crate) fn begin(&mut self, message: u16, flags: u16, sequence: u32, header: &[u8]) -> Start {
        let start = Start(self.bytes.len());
        self.bytes.extend([0; 4]);
        self.bytes.extend(message.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(header);
        start
    }

    /// Ends a message.
    pub(crate) fn end(&mut self, start: Start) {
        match u32::try_from(self.bytes.len() - start.0) {
            Ok(length) => self.bytes[start.0..start.0 + 4].copy_from_slice(&length.to_ne_bytes()),
            Err(_) => self.overflow = true,
        }
    }

    /// Begins an attribute that consists of others.
    pub(crate) fn open(&mut self, kind: u16) -> Start {
        let start = Start(self.bytes.len());
        self.bytes.extend([0; 2]);
        self.bytes.extend((kind | NESTED).to_ne_bytes());
        start
    }

    /// Ends what [`Writer::open`] began.
    pub(crate) fn close(&mut self, start: Start) {
        self.length(start);
    }

    /// An attribute that consists of what `fill` writes.
    pub(crate) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Writer)) {
        let start = self.open(kind);
        fill(self);
        self.close(start);
    }

    /// An attribute of bytes.
    pub(crate) fn raw(&mut self, kind: u16, value: &[u8]) {
        let start = Start(self.bytes.len());
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.length(start);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// A number of one byte.
    pub(crate) fn u8(&mut self, kind: u16, value: u8) {
        self.raw(kind, &[value]);
    }

    /// A number of two bytes, in network order.
    pub(crate) fn be16(&mut self, kind: u16, value: u16) {
        self.raw(kind, &value.to_be_bytes());
    }

    /// A number of four bytes, in network order.
    pub(crate) fn be32(&mut self, kind: u16, value: u32) {
        self.raw(kind, &value.to_be_bytes());
    }

    /// A number of eight bytes, in network order.
    pub(crate) fn be64(&mut self, kind: u16, value: u64) {
        self.raw(kind, &value.to_be_bytes());
    }

    /// A text, which ends with a NUL.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let start = Start(self.bytes.len());
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value.as_bytes());
        self.bytes.push(0);
        self.length(start);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn length(&mut self, start: Start) {
        match u16::try_from(self.bytes.len() - start.0) {
            Ok(length) => self.bytes[start.0..start.0 + 2].copy_from_slice(&length.to_ne_bytes()),
            Err(_) => self.overflow = true,
        }
    }
}
