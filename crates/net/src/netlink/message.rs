//! Messages of a datagram that was received, as far as they are whole, and what they say of errors.

use rustix::io::Errno;

use super::attributes::{Attribute, Attributes};

/// `NLMSG_ERROR`.
pub(crate) const ERROR: u16 = 2;
/// `NLMSG_DONE`.
pub(crate) const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`.
const INTERRUPTED: u16 = 0x10;
/// `NLM_F_CAPPED`.
const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`.
const WITH_WORDS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`.
const WORDS: u16 = 1;
/// The largest error number (`MAX_ERRNO`).
const MAX_ERRNO: i32 = 4095;
/// The size of `struct nlmsghdr`.
const HEADER: usize = 16;

/// A message as it arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// Its type.
    pub(crate) kind: u16,
    flags: u16,
    /// The number of the request that it answers.
    pub(crate) sequence: u32,
    /// What follows `struct nlmsghdr`.
    pub(crate) body: &'a [u8],
}

/// The messages of a datagram.
#[derive(Debug)]
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header: &[u8; HEADER] = self.0.first_chunk()?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let body = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            body,
        })
    }
}

impl Message<'_> {
    /// Whether it belongs to a list that changed while it was given.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.flags & INTERRUPTED != 0
    }

    /// Of an error, or of the end of a list: why the request failed, and the kernel's words for it. None if it succeeded.
    pub(crate) fn refusal(&self) -> Option<(Errno, String)> {
        let (code, rest) = self.body.split_first_chunk()?;
        let code = i32::from_ne_bytes(*code).checked_neg().filter(|code| (1..=MAX_ERRNO).contains(code))?;
        // Behind the code lies the request: as a whole, or only its header.
        let echoed = match self.kind {
            ERROR if self.flags & CAPPED == 0 => {
                let length = rest.first_chunk().map_or(0, |length| u32::from_ne_bytes(*length));
                usize::try_from(length).unwrap_or(usize::MAX).checked_next_multiple_of(4)
            }
            ERROR => Some(HEADER),
            _ => Some(0),
        };
        let behind = echoed.filter(|_| self.flags & WITH_WORDS != 0).and_then(|echoed| rest.get(echoed..));
        let words = Attributes(behind.unwrap_or_default()).get(WORDS);
        Some((Errno::from_raw_os_error(code), words.map(Attribute::text).unwrap_or_default()))
    }
}
