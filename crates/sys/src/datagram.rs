//! Datagrams with the address of this host that they were sent to (`ip(7)`, `IP_PKTINFO`; `ipv6(7)`, `IPV6_PKTINFO`), so that a
//! socket of all addresses answers from the one that was asked.

use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// The address of this host that a datagram was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Local {
    address: IpAddr,
    /// The link, which an address means nothing without if it is one of the link.
    link: u32,
}

/// Bytes of the header of a control message: length, level, kind.
const HEADER: usize = size_of::<usize>() + 8;

/// Memory for control messages, aligned as the kernel wants them.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Memory for the address of a socket.
#[repr(C, align(8))]
struct Name([u8; size_of::<libc::sockaddr_in6>()]);

/// Lets a socket tell what [`receive`] wants to know.
///
/// # Errors
/// Those of `setsockopt(2)`.
pub fn tell_destination(socket: BorrowedFd<'_>, is_ipv6: bool) -> Result<(), Errno> {
    let (level, option) =
        if is_ipv6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO) } else { (libc::IPPROTO_IP, libc::IP_PKTINFO) };
    crate::socket::set(socket, level, option, &1_i32)
}

/// Takes a datagram into a buffer, in place of what is in it and as far as it has room: who sent it, and where to.
///
/// # Errors
/// Those of `recvmsg(2)`.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> Result<(SocketAddr, Option<Local>), Errno> {
    buffer.clear();
    let room = buffer.spare_capacity_mut();
    let mut slice = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    let mut name = Name([0; _]);
    let mut control = Control([0; _]);
    let mut message = message(&mut name, size_of::<Name>(), &mut slice);
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = length(control.0.len())?;
    // SAFETY: the message points to a name, one slice and control messages that are writable for the sizes given.
    #[expect(unsafe_code, reason = "rustix does not know of this control message")]
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let received = usize::try_from(received).map_err(|_| crate::exec::last_errno())?;
    // SAFETY: the kernel has written so many bytes, and it was told how much room there is.
    #[expect(unsafe_code, reason = "memory is not written before the kernel does")]
    unsafe {
        buffer.set_len(received);
    }
    let from = address(&name.0).ok_or(Errno::AFNOSUPPORT)?;
    Ok((from, local(&control.0)))
}

/// Sends a datagram from an address of this host.
///
/// # Errors
/// Those of `sendmsg(2)`.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], to: SocketAddr, from: Option<Local>) -> Result<(), Errno> {
    let mut slice = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut name = Name([0; _]);
    let name_length = write_address(&mut name.0, to);
    let mut control = Control([0; _]);
    let mut message = message(&mut name, name_length, &mut slice);
    if let Some(from) = from {
        message.msg_controllen = length(from.write(&mut control.0, to.is_ipv6()))?;
        message.msg_control = control.0.as_mut_ptr().cast();
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the message points to a name, one slice and control messages that are readable for the sizes given.
    #[expect(unsafe_code, reason = "rustix does not know of this control message")]
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) };
    if sent < 0 { Err(crate::exec::last_errno()) } else { Ok(()) }
}

/// A message of one slice, without control messages.
fn message(name: &mut Name, name_length: usize, slice: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: the structure consists of integers and pointers, for which zero is a value.
    #[expect(unsafe_code, reason = "the C structure has private fields for padding")]
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_name = name.0.as_mut_ptr().cast();
    message.msg_namelen = u32::try_from(name_length).unwrap_or(0);
    message.msg_iov = &raw mut *slice;
    message.msg_iovlen = 1;
    message
}

/// A length of control messages, whose type C libraries do not agree on.
fn length<T: TryFrom<usize>>(length: usize) -> Result<T, Errno> {
    T::try_from(length).map_err(|_| Errno::INVAL)
}

impl Local {
    /// Writes the control message for a socket of a family; its length.
    fn write(self, control: &mut [u8], is_ipv6: bool) -> usize {
        let mut data = Vec::with_capacity(20);
        let (level, kind) = match self.address {
            IpAddr::V4(address) if !is_ipv6 => {
                data.extend_from_slice(&0_u32.to_ne_bytes());
                data.extend_from_slice(&address.octets());
                data.extend_from_slice(&[0; 4]);
                (libc::IPPROTO_IP, libc::IP_PKTINFO)
            }
            address => {
                let address = match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                // The way back is the kernel's to choose, unless the address is one of the link.
                let link = if address.is_unicast_link_local() { self.link } else { 0 };
                data.extend_from_slice(&address.octets());
                data.extend_from_slice(&link.to_ne_bytes());
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
            }
        };
        let length = HEADER + data.len();
        control[..size_of::<usize>()].copy_from_slice(&length.to_ne_bytes());
        control[size_of::<usize>()..HEADER - 4].copy_from_slice(&level.to_ne_bytes());
        control[HEADER - 4..HEADER].copy_from_slice(&kind.to_ne_bytes());
        control[HEADER..length].copy_from_slice(&data);
        length.next_multiple_of(size_of::<usize>())
    }
}

/// The address in the first control message, if that is what it tells.
fn local(control: &[u8]) -> Option<Local> {
    let number = |at: usize| control.get(at..)?.first_chunk().copied().map(i32::from_ne_bytes);
    let data = control.get(HEADER..)?;
    match (number(HEADER - 8)?, number(HEADER - 4)?) {
        // Link, the address to answer from, the address in the packet.
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            let [link, address] = [data.first_chunk()?, data.get(4..)?.first_chunk()?];
            Some(Local { address: Ipv4Addr::from_octets(*address).into(), link: u32::from_ne_bytes(*link) })
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            let address = Ipv6Addr::from_octets(*data.first_chunk()?);
            Some(Local { address: address.into(), link: u32::from_ne_bytes(*data.get(16..)?.first_chunk()?) })
        }
        _ => None,
    }
}

/// Reads `sockaddr_in` or `sockaddr_in6`.
fn address(bytes: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    match i32::from(u16::from_ne_bytes(*bytes.first_chunk()?)) {
        libc::AF_INET => {
            let address = Ipv4Addr::from_octets(*bytes.get(4..)?.first_chunk()?);
            Some(SocketAddr::new(address.into(), port))
        }
        libc::AF_INET6 => {
            let address = Ipv6Addr::from_octets(*bytes.get(8..)?.first_chunk()?);
            let scope = u32::from_ne_bytes(*bytes.get(24..)?.first_chunk()?);
            Some(SocketAddrV6::new(address, port, 0, scope).into())
        }
        _ => None,
    }
}

/// Writes one of them; its length.
fn write_address(bytes: &mut [u8], address: SocketAddr) -> usize {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    bytes[..2].copy_from_slice(&u16::try_from(family).unwrap_or(0).to_ne_bytes());
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(address) => {
            bytes[4..8].copy_from_slice(&address.ip().octets());
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            bytes[8..24].copy_from_slice(&address.ip().octets());
            bytes[24..28].copy_from_slice(&address.scope_id().to_ne_bytes());
            size_of::<libc::sockaddr_in6>()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn an_answer_comes_from_the_address_that_was_asked() {
        crate::loopback::in_own_network(|| {
            for (bound, asked) in [
                ("0.0.0.0:0", "127.0.0.7"),
                ("[::]:0", "::1"),
                // A socket of both families.
                ("[::]:0", "127.0.0.8"),
            ] {
                let server = UdpSocket::bind(bound).expect("is free");
                let is_ipv6 = bound.starts_with('[');
                tell_destination(server.as_fd(), is_ipv6).expect("is set");
                let asked =
                    SocketAddr::new(asked.parse().expect("is one"), server.local_addr().expect("is bound").port());
                let own = if asked.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
                let client = UdpSocket::bind(own).expect("is free");
                client.send_to(b"question", asked).expect("is sent");
                let mut buffer = Vec::with_capacity(64);
                let (from, local) = receive(server.as_fd(), &mut buffer).expect("has come");
                assert_eq!(buffer, b"question");
                send(server.as_fd(), b"answer", from, local).expect("is sent");
                let mut answer = [0; 64];
                let (length, answered) = client.recv_from(&mut answer).expect("has come");
                assert_eq!((&answer[..length], answered), (&b"answer"[..], asked), "{bound}");
                assert_eq!(receive(server.as_fd(), &mut buffer), Err(Errno::AGAIN));
            }
        });
    }
}
