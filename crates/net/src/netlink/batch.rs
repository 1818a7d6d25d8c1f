//! Requests that are written: several in one datagram, each with words for what it does, so that an error can name it.

use std::net::IpAddr;

use rustix::io::Errno;

use super::writer::{Start, Writer};

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
pub(crate) const ACK: u16 = 0x4;
/// `NLM_F_DUMP`.
pub(crate) const DUMP: u16 = 0x300;

/// Requests that are sent together. The kernel carries them out in order, and goes on after one that fails.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(super) writer: Writer,
    pub(super) steps: Vec<Step>,
}

/// What is known of a request.
#[derive(Debug)]
pub(super) struct Step {
    /// Where its message begins.
    start: Start,
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
        let start = self.writer.begin(kind, flags | REQUEST, 0, header);
        self.writer.end(start);
        self.steps.push(Step { start, what, ends, tolerated: None });
        Request { batch: self }
    }

    /// Numbers the requests, and has the last one acknowledged.
    pub(super) fn seal(&mut self, first: u32) {
        if let Some(last) = self.steps.last_mut().filter(|last| last.ends == Ends::Silently) {
            last.ends = Ends::WithAck;
        }
        for (step, sequence) in self.steps.iter().zip(first..) {
            self.writer.number(step.start, if step.ends == Ends::WithAck { ACK } else { 0 }, sequence);
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
        self.write(|writer| writer.raw(kind, value))
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
        self.write(|writer| writer.text(kind, value))
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
        let start = self.batch.writer.open(kind);
        fill(self);
        self.write(|writer| writer.close(start))
    }

    /// Bytes that precede nested attributes.
    pub(crate) fn header(&mut self, bytes: &[u8]) {
        self.batch.writer.append(bytes);
    }

    /// Writes, and says how long the message is now.
    fn write(&mut self, what: impl FnOnce(&mut Writer)) -> &mut Self {
        what(&mut self.batch.writer);
        let start = self.step().start;
        self.batch.writer.end(start);
        self
    }

    fn step(&mut self) -> &mut Step {
        self.batch.steps.last_mut().expect("this request is the last one")
    }
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
        assert_eq!(batch.writer.bytes(), expected);
        assert_eq!(batch.steps[1].tolerated, Some(Errno::NODEV));
    }
}
