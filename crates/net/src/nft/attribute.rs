//! Attributes of netlink (`netlink(7)`; the kernel's `nlattr`): a length, a type, a value, zeros up to a multiple of four. Those of
//! nftables have numbers in network order. What is read comes from the kernel, but says what strangers wrote: nothing here
//! trusts a length.

/// The bit of a type that says that its value is attributes.
const NESTED: u16 = 0x8000;
/// The bits of a type that number it.
const TYPE_MASK: u16 = 0x3fff;
/// Length and type.
const HEADER: usize = 4;

/// Messages that are being written.
#[derive(Debug, Default, Clone)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    overflow: bool,
}

/// Where a message or an attribute that is being written begins.
#[derive(Clone, Copy)]
pub(super) struct Start(usize);

impl Writer {
    /// All that was written.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All that was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Attributes that were written elsewhere.
    pub(super) fn append(&mut self, attributes: &[u8]) {
        self.bytes.extend(attributes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Whether an attribute was too long to be one: what was written is not what was meant.
    pub(super) fn overflow(&self) -> bool {
        self.overflow
    }

    /// Begins a message: `nlmsghdr` and `nfgenmsg`.
    pub(super) fn begin(&mut self, message: u16, flags: u16, sequence: u32, family: u8, resource: u16) -> Start {
        let start = Start(self.bytes.len());
        self.bytes.extend([0; 4]);
        self.bytes.extend(message.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(sequence.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        start
    }

    /// Ends a message.
    pub(super) fn end(&mut self, start: Start) {
        match u32::try_from(self.bytes.len() - start.0) {
            Ok(length) => self.bytes[start.0..start.0 + 4].copy_from_slice(&length.to_ne_bytes()),
            Err(_) => self.overflow = true,
        }
    }

    /// Begins an attribute that consists of others.
    pub(super) fn open(&mut self, kind: u16) -> Start {
        let start = Start(self.bytes.len());
        self.bytes.extend([0; 2]);
        self.bytes.extend((kind | NESTED).to_ne_bytes());
        start
    }

    /// Ends what [`Writer::open`] began.
    pub(super) fn close(&mut self, start: Start) {
        self.length(start);
    }

    /// An attribute that consists of what `fill` writes.
    pub(super) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Writer)) {
        let start = self.open(kind);
        fill(self);
        self.close(start);
    }

    /// An attribute of bytes.
    pub(super) fn raw(&mut self, kind: u16, value: &[u8]) {
        let start = Start(self.bytes.len());
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.length(start);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// A number of one byte.
    pub(super) fn u8(&mut self, kind: u16, value: u8) {
        self.raw(kind, &[value]);
    }

    /// A number of two bytes.
    pub(super) fn u16(&mut self, kind: u16, value: u16) {
        self.raw(kind, &value.to_be_bytes());
    }

    /// A number of four bytes.
    pub(super) fn u32(&mut self, kind: u16, value: u32) {
        self.raw(kind, &value.to_be_bytes());
    }

    /// A number of eight bytes.
    pub(super) fn u64(&mut self, kind: u16, value: u64) {
        self.raw(kind, &value.to_be_bytes());
    }

    /// A text, which ends with a NUL.
    pub(super) fn text(&mut self, kind: u16, value: &str) {
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

/// One attribute that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute<'a> {
    /// Which one.
    pub(super) kind: u16,
    /// What it says.
    pub(super) value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// Its value as attributes.
    pub(super) fn nested(self) -> Attributes<'a> {
        Attributes(self.value)
    }

    /// Its number of one byte.
    pub(super) fn u8(self) -> Option<u8> {
        self.value.first().copied()
    }

    /// Its number of two bytes.
    pub(super) fn u16(self) -> Option<u16> {
        self.value.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// Its number of four bytes.
    pub(super) fn u32(self) -> Option<u32> {
        self.value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// Its number of eight bytes.
    pub(super) fn u64(self) -> Option<u64> {
        self.value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// Its text, up to the first NUL; what is not UTF-8 is replaced.
    pub(super) fn text(self) -> String {
        let end = self.value.iter().position(|byte| *byte == 0).unwrap_or(self.value.len());
        String::from_utf8_lossy(&self.value[..end]).into_owned()
    }
}

/// Attributes that are being read; their list ends at the first that is not whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The last with this type, which is the one that the kernel goes by.
    pub(super) fn find(self, kind: u16) -> Option<Attribute<'a>> {
        self.into_iter().filter(|attribute| attribute.kind == kind).last()
    }

    /// The number of four bytes with this type.
    pub(super) fn u32(self, kind: u16) -> Option<u32> {
        self.find(kind).and_then(Attribute::u32)
    }

    /// The number of eight bytes with this type.
    pub(super) fn u64(self, kind: u16) -> Option<u64> {
        self.find(kind).and_then(Attribute::u64)
    }

    /// The text with this type.
    pub(super) fn text(self, kind: u16) -> Option<String> {
        self.find(kind).map(Attribute::text)
    }

    /// The attributes in the one with this type; none if it is not there.
    pub(super) fn nested(self, kind: u16) -> Attributes<'a> {
        self.find(kind).map_or(Attributes(&[]), Attribute::nested)
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = Attribute<'a>;
    type IntoIter = Each<'a>;

    fn into_iter(self) -> Each<'a> {
        Each(self.0)
    }
}

/// One attribute after the other.
#[derive(Debug)]
pub(super) struct Each<'a>(&'a [u8]);

impl<'a> Iterator for Each<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (header, _) = self.0.split_first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & TYPE_MASK;
        let value = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind, value })
    }
}

/// One message that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// Which one.
    pub(super) kind: u16,
    /// Its flags.
    pub(super) flags: u16,
    /// Which request it answers.
    pub(super) sequence: u32,
    /// What follows `nlmsghdr`.
    pub(super) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The family in its `nfgenmsg`.
    pub(super) fn family(self) -> u8 {
        self.body.first().copied().unwrap_or(0)
    }

    /// What follows `nfgenmsg`.
    pub(super) fn attributes(self) -> Attributes<'a> {
        Attributes(self.body.get(4..).unwrap_or_default())
    }

    /// Of an error: its number, zero for an acknowledgement.
    pub(super) fn error(self) -> Option<i32> {
        self.body.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes).wrapping_neg())
    }

    /// Of an error: which message failed, by its sequence number.
    pub(super) fn failed_sequence(self) -> Option<u32> {
        self.body.get(12..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
    }
}

/// Messages of one datagram; ends at the first that is not whole.
#[derive(Debug)]
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let (header, _) = self.0.split_first_chunk::<16>()?;
        let length = usize::try_from(u32::from_ne_bytes([header[0], header[1], header[2], header[3]])).ok()?;
        let body = self.0.get(16..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            flags: u16::from_ne_bytes([header[6], header[7]]),
            sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
            body,
        })
    }
}
