//! As much of rtnetlink as moving a device takes (`rtnetlink(7)`): requests written by hand, answers read with their lengths
//! checked.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

/// `NETLINK_ROUTE` is number 0, as no protocol.
const ROUTE: Option<rustix::net::Protocol> = None;
/// `RT_SCOPE_UNIVERSE`.
pub(super) const EVERYWHERE: u8 = 0;

const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;
const CREATE_NEW: u16 = 0x600;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;

const LINK_NAME: u16 = 3;
const LINK_NAMESPACE: u16 = 28;

const ADDRESS_LABEL: u16 = 3;
const ADDRESS_LIFETIME: u16 = 6;
const ADDRESS_FLAGS: u16 = 8;
/// `IFA_F_PERMANENT`.
const PERMANENT: u32 = 0x80;
/// `IFF_UP`.
const UP: u32 = 1;

/// Bytes of a message's header, of `ifinfomsg` and of `ifaddrmsg`.
const HEADER: usize = 16;
const LINK: usize = 16;
const ADDRESS: usize = 8;

/// An address of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    family: u8,
    prefix: u8,
    flags: u8,
    pub(super) scope: u8,
    pub(super) permanent: bool,
    /// Everything else, as the kernel has it.
    attributes: Vec<(u16, Vec<u8>)>,
}

/// A socket of one network namespace.
pub(super) struct Rtnetlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Rtnetlink {
    /// Of the network namespace that the caller is in.
    pub(super) fn open() -> rustix::io::Result<Rtnetlink> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, ROUTE)?;
        Ok(Rtnetlink { socket, sequence: 0 })
    }

    /// The number of a device.
    pub(super) fn index(&mut self, name: &str) -> rustix::io::Result<u32> {
        let mut found = None;
        let message = link(0, 0, 0).attribute(LINK_NAME, &c_name(name));
        self.ask(GET_LINK, ACKNOWLEDGE, message, |kind, body| {
            if kind == NEW_LINK {
                found = number(body, 4);
            }
        })?;
        found.ok_or(Errno::NODEV)
    }

    /// Addresses of a device.
    pub(super) fn addresses(&mut self, index: u32) -> rustix::io::Result<Vec<Address>> {
        let mut found = Vec::new();
        let message = Message(vec![0; ADDRESS]);
        self.ask(GET_ADDRESS, DUMP, message, |kind, body| {
            if kind == NEW_ADDRESS
                && number(body, 4) == Some(index)
                && let Some(address) = Address::read(body)
            {
                found.push(address);
            }
        })?;
        Ok(found)
    }

    /// Moves a device into another network namespace, under a name.
    pub(super) fn move_link(&mut self, index: u32, to: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
        let message = link(index, 0, 0)
            .attribute(LINK_NAMESPACE, &to.as_raw_fd().to_ne_bytes())
            .attribute(LINK_NAME, &c_name(name));
        self.ask(NEW_LINK, ACKNOWLEDGE, message, |_, _| {})
    }

    /// Gives a device an address.
    pub(super) fn add_address(&mut self, index: u32, address: &Address) -> rustix::io::Result<()> {
        let mut body = vec![address.family, address.prefix, address.flags, address.scope];
        body.extend(index.to_ne_bytes());
        let message = address.attributes.iter().fold(Message(body), |message, (kind, value)| {
            // A label begins with the device's name, which may have changed; without a lifetime it is for good.
            if matches!(*kind, ADDRESS_LABEL | ADDRESS_LIFETIME) { message } else { message.attribute(*kind, value) }
        });
        match self.ask(NEW_ADDRESS, ACKNOWLEDGE | CREATE_NEW, message, |_, _| {}) {
            Err(Errno::EXIST) => Ok(()),
            other => other,
        }
    }

    /// Brings a device up.
    pub(super) fn bring_up(&mut self, index: u32) -> rustix::io::Result<()> {
        self.ask(NEW_LINK, ACKNOWLEDGE, link(index, UP, UP), |_, _| {})
    }

    /// Sends a request and reads all of its answer.
    fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        message: Message,
        mut answer: impl FnMut(u16, &[u8]),
    ) -> rustix::io::Result<()> {
        self.sequence += 1;
        send(&self.socket, &message.finish(kind, REQUEST | flags, self.sequence), SendFlags::empty())?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let (length, _) = recv(&self.socket, &mut buffer[..], RecvFlags::empty())?;
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some((kind, sequence, body, after)) = next(rest) {
                rest = after;
                if sequence != self.sequence {
                    continue;
                }
                match kind {
                    DONE => return Ok(()),
                    ERROR => return error(body),
                    kind => answer(kind, body),
                }
            }
        }
    }
}

/// An acknowledgement is an error of number 0.
fn error(body: &[u8]) -> rustix::io::Result<()> {
    match number(body, 0).map(u32::cast_signed) {
        Some(0) => Ok(()),
        Some(negative) => Err(Errno::from_raw_os_error(-negative)),
        None => Err(Errno::PROTO),
    }
}

/// Takes the first message off: its kind, its number, its content, and what follows.
fn next(bytes: &[u8]) -> Option<(u16, u32, &[u8], &[u8])> {
    let length = usize::try_from(number(bytes, 0)?).ok()?;
    let kind = short(bytes, 4)?;
    let body = bytes.get(HEADER..length)?;
    let after = bytes.get(aligned(length)..).unwrap_or_default();
    Some((kind, number(bytes, 8)?, body, after))
}

impl Address {
    fn read(body: &[u8]) -> Option<Address> {
        let [family, prefix, flags, scope] = *body.first_chunk::<4>()?;
        let mut attributes = Vec::new();
        let mut rest = body.get(ADDRESS..)?;
        while let (Some(length), Some(kind)) = (short(rest, 0), short(rest, 2)) {
            let length = usize::from(length);
            attributes.push((kind, rest.get(4..length)?.to_vec()));
            rest = rest.get(aligned(length)..).unwrap_or_default();
        }
        let wide = attributes.iter().find(|(kind, _)| *kind == ADDRESS_FLAGS).and_then(|(_, value)| number(value, 0));
        let permanent = wide.unwrap_or(u32::from(flags)) & PERMANENT != 0;
        Some(Address { family, prefix, flags, scope, permanent, attributes })
    }
}

/// The content of a message, without its header.
struct Message(Vec<u8>);

impl Message {
    fn attribute(mut self, kind: u16, value: &[u8]) -> Message {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(aligned(self.0.len()), 0);
        self
    }

    fn finish(self, kind: u16, flags: u16, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(HEADER + self.0.len()).unwrap_or(u32::MAX);
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.0);
        bytes
    }
}

/// An `ifinfomsg`.
fn link(index: u32, flags: u32, change: u32) -> Message {
    let mut body = Vec::with_capacity(LINK);
    body.extend([0; 4]);
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(change.to_ne_bytes());
    Message(body)
}

fn c_name(name: &str) -> Vec<u8> {
    [name.as_bytes(), b"\0"].concat()
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_its_number_and_address() {
        let mut host = Rtnetlink::open().expect("a socket");
        assert_eq!(host.index("lo"), Ok(1));
        assert_eq!(host.index("no-such-device"), Err(Errno::NODEV));
        let addresses = host.addresses(1).expect("addresses");
        // A host may have it down, but then it has none at all.
        assert!(addresses.iter().all(|address| address.permanent && address.prefix > 0), "{addresses:?}");
    }

    #[test]
    fn messages_are_read_back_as_written() {
        let bytes = link(7, UP, UP).attribute(LINK_NAME, &c_name("eth0")).finish(NEW_LINK, REQUEST, 3);
        let (kind, sequence, body, after) = next(&bytes).expect("whole");
        assert_eq!((kind, sequence, number(body, 4), after.len()), (NEW_LINK, 3, Some(7), 0));
        assert_eq!(&body[LINK..], [9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0]);
        for length in 0..bytes.len() {
            assert!(next(&bytes[..length]).is_none(), "{length}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_to_its_end(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let mut rest = bytes.as_slice();
            while let Some((_, _, body, after)) = next(rest) {
                Address::read(body);
                proptest::prop_assert!(after.len() < rest.len());
                rest = after;
            }
            Address::read(&bytes);
        }
    }
}
