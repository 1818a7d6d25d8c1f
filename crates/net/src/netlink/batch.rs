//! Requests that are written: several in one datagram, each with words for what it does, so that an error can name it.

use std::net::IpAddr;

use rustix::io::Errno;

/// `NLM_F_REQUEST`.
const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
const ACK: u16 = 0x4;
/// `NLM_F_DUMP`.
const DUMP: u16 = 0x300;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// Requests that are sent together. The kernel carries them out in order, and goes on after one that fails.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) steps: Vec<Step>,
}

/// What is known of a request.
#[derive(Debug)]
pub(super) struct Step {
    /// Where its message begins.
    at: usize,
    /// What it does: "adding 10.0.0.1/24 to eth0".
    pub(super) what: String,
    pub(super) ends: Ends,
    /// An error that is none.
    pub(super) tolerated: Option<Errno>,
}

/// What is the last that the kernel has to say about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// Nothing, if it succeeds.
    Silently,
    /// An acknowledgement.
    WithAck,
    /// One message, or an error.
    WithAnswer,
    /// The end of a list.
    WithDone,
}

/// A request that is being written.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    batch: &'a mut Batch,
}

impl Batch {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// A request that changes something. `header` is what follows `struct nlmsghdr`.
    ///
    /// Only the last of a batch is acknowledged: errors of those before it arrive anyway, and arrive earlier.
    pub(crate) fn change(&mut self, kind: u16, flags: u16, header: &[u8], what: impl Into<String>) -> Request<'_> {
        self.push(kind, flags, header, what.into(), Ends::Silently)
    }

    /// A request that is answered with one message.
    pub(crate) fn ask(&mut self, kind: u16, header: &[u8], what: impl Into<String>) -> Request<'_> {
        self.push(kind, 0, header, what.into(), Ends::WithAnswer)
    }

    /// A request that is answered with a list of messages.
    pub(crate) fn list(&mut self, kind: u16, header: &[u8], what: impl Into<String>) -> Request<'_> {
        self.push(kind, DUMP, header, what.into(), Ends::WithDone)
    }

    fn push(&mut self, kind: u16, flags: u16, header: &[u8], what: String, ends: Ends) -> Request<'_> {
        let at = self.bytes.len();
        self.steps.push(Step { at, what, ends, tolerated: None });
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | REQUEST).to_ne_bytes());
        self.bytes.extend([0; 8]);
        self.bytes.extend(header);
        let mut request = Request { batch: self };
        request.finish();
        request
    }

    /// Numbers the requests, and has the last one acknowledged.
    pub(super) fn seal(&mut self, first: u32) {
        if let Some(last) = self.steps.last_mut().filter(|last| last.ends == Ends::Silently) {
            last.ends = Ends::WithAck;
        }
        for (step, sequence) in self.steps.iter().zip(first..) {
            put(&mut self.bytes, step.at + 8, sequence.to_ne_bytes());
            if step.ends == Ends::WithAck
                && let Some(flags) = self.bytes.get(step.at + 6..).and_then(|bytes| bytes.first_chunk())
            {
                let flags = u16::from_ne_bytes(*flags) | ACK;
                put(&mut self.bytes, step.at + 6, flags.to_ne_bytes());
            }
        }
    }
}

impl Request<'_> {
    /// An error that means that there is nothing to do.
    pub(crate) fn tolerate(&mut self, errno: Errno) -> &mut Self {
        self.step().tolerated = Some(errno);
        self
    }

    /// An attribute of these bytes.
    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.nested_with(kind, |request| request.batch.bytes.extend(value))
    }

    /// An attribute of one byte.
    pub(crate) fn u8(&mut self, kind: u16, value: u8) -> &mut Self {
        self.bytes(kind, &[value])
    }

    /// An attribute of two bytes.
    pub(crate) fn u16(&mut self, kind: u16, value: u16) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// An attribute of four bytes.
    pub(crate) fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// An attribute of a text, which ends with a zero.
    pub(crate) fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.nested_with(kind, |request| {
            request.batch.bytes.extend(value.as_bytes());
            request.batch.bytes.push(0);
        })
    }

    /// An attribute of an address.
    pub(crate) fn address(&mut self, kind: u16, value: IpAddr) -> &mut Self {
        match value {
            IpAddr::V4(address) => self.bytes(kind, &address.octets()),
            IpAddr::V6(address) => self.bytes(kind, &address.octets()),
        }
    }

    /// An attribute of the attributes that `fill` writes.
    pub(crate) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.nested_with(kind | NESTED, fill)
    }

    /// Bytes that precede nested attributes.
    pub(crate) fn header(&mut self, bytes: &[u8]) {
        self.batch.bytes.extend(bytes);
    }

    fn nested_with(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let at = self.batch.bytes.len();
        self.batch.bytes.extend([0; 2]);
        self.batch.bytes.extend(kind.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.batch.bytes.len() - at).expect("names and addresses are short");
        put(&mut self.batch.bytes, at, length.to_ne_bytes());
        self.finish();
        self
    }

    fn step(&mut self) -> &mut Step {
        self.batch.steps.last_mut().expect("this request is the last one")
    }

    /// Fills up to a multiple of four, and says how long the message is.
    fn finish(&mut self) {
        let bytes = &mut self.batch.bytes;
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let at = self.step().at;
        let length = self.batch.bytes.len() - at;
        let length = u32::try_from(length).expect("attributes are shorter than 64 KiB, and there are few");
        put(&mut self.batch.bytes, at, length.to_ne_bytes());
    }
}

/// Writes a number of a header that lies at this place.
fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_written_one_after_the_other_and_the_last_is_acknowledged() {
        let mut batch = Batch::default();
        batch.change(16, 0x200, &[1; 4], "first").text(3, "ab").nested(18, |inner| {
            inner.u16(1, 0x0101);
        });
        batch.change(17, 0, &[2; 4], "second").tolerate(Errno::NODEV);
        batch.seal(8);
        let mut expected = Vec::new();
        expected.extend([&40_u32.to_ne_bytes()[..], &16_u16.to_ne_bytes(), &0x201_u16.to_ne_bytes()].concat());
        expected.extend([&8_u32.to_ne_bytes()[..], &[0; 4], &[1; 4]].concat());
        expected.extend([&7_u16.to_ne_bytes()[..], &3_u16.to_ne_bytes(), b"ab\0\0"].concat());
        expected.extend([&12_u16.to_ne_bytes()[..], &0x8012_u16.to_ne_bytes()].concat());
        expected.extend([&6_u16.to_ne_bytes()[..], &1_u16.to_ne_bytes(), &[1, 1, 0, 0]].concat());
        expected.extend([&20_u32.to_ne_bytes()[..], &17_u16.to_ne_bytes(), &0x5_u16.to_ne_bytes()].concat());
        expected.extend([&9_u32.to_ne_bytes()[..], &[0; 4], &[2; 4]].concat());
        assert_eq!(batch.bytes, expected);
        assert_eq!(batch.steps[1].tolerated, Some(Errno::NODEV));
    }
}
