//! Structures of the kernel's interface to iptables, field by field.

use std::net::IpAddr;

use super::super::packet::octets;

/// The bytes of one. Fields that are not there are None.
#[derive(Clone, Copy)]
pub(super) struct Info<'a>(pub(super) &'a [u8]);

impl Info<'_> {
    /// A byte.
    pub(super) fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    /// A number of two bytes, of the host's order.
    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_ne_bytes)
    }

    /// A number of two bytes, of the network's order.
    pub(super) fn port(self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_be_bytes)
    }

    /// A number of four bytes, of the host's order.
    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_ne_bytes)
    }

    /// Bytes.
    pub(super) fn bytes<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    /// An address in the sixteen bytes of `nf_inet_addr`.
    pub(super) fn address(self, at: usize, is_ipv4: bool) -> Option<IpAddr> {
        let bytes: [u8; 16] = self.bytes(at)?;
        let [a, b, c, d, ..] = bytes;
        Some(if is_ipv4 { IpAddr::from([a, b, c, d]) } else { IpAddr::from(bytes) })
    }

    /// Whether an address is the one at `at`, as far as the mask at `mask` says.
    pub(super) fn covers(self, at: usize, mask: usize, address: IpAddr) -> Option<bool> {
        let (wanted, mask): ([u8; 16], [u8; 16]) = (self.bytes(at)?, self.bytes(mask)?);
        Some(octets(address).iter().zip(wanted).zip(mask).all(|((own, wanted), mask)| (own ^ wanted) & mask == 0))
    }
}
