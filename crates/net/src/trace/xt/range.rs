//! What addresses and ports are translated to: `struct nf_nat_range` in one of its forms.

use std::fmt::Write;
use std::net::IpAddr;

use super::super::evaluate::{To, range};
use super::info::Info;

/// A range of addresses and ports, as far as its flags ([`range`]) say that there is one.
pub(super) struct Range {
    pub(super) flags: u32,
    pub(super) addresses: (IpAddr, IpAddr),
    pub(super) ports: (u16, u16),
}

impl Range {
    /// That of a target: of IPv4, revision 0 is a form of its own (`nf_nat_ipv4_multi_range_compat`), all else is
    /// `nf_nat_range`, with or without something behind.
    pub(super) fn read(revision: u32, info: Info<'_>, is_ipv4: bool) -> Option<Range> {
        if is_ipv4 && revision == 0 {
            let v4 = |at| info.bytes::<4>(at).map(IpAddr::from);
            return Some(Range {
                flags: info.u32(4)?,
                addresses: (v4(8)?, v4(12)?),
                ports: (info.port(16)?, info.port(18)?),
            });
        }
        Some(Range {
            flags: info.u32(0)?,
            addresses: (info.address(4, is_ipv4)?, info.address(20, is_ipv4)?),
            ports: (info.port(36)?, info.port(38)?),
        })
    }

    /// What it makes of an end of a connection.
    pub(super) fn to(&self) -> To {
        To {
            addresses: self.has(range::ADDRESSES).then_some(self.addresses),
            ports: self.has(range::PORTS).then_some(self.ports),
            flags: self.flags,
        }
    }

    /// The same, as one writes it behind an option of `iptables(8)`.
    pub(super) fn words(&self) -> String {
        let mut words = String::new();
        let (low, high) = self.addresses;
        if self.has(range::ADDRESSES) {
            let brackets = low.is_ipv6() && self.has(range::PORTS);
            let _ = if brackets { write!(words, "[{low}]") } else { write!(words, "{low}") };
            if low != high {
                let _ = write!(words, "-{high}");
            }
        }
        let (low, high) = self.ports;
        if self.has(range::PORTS) {
            let _ = if low == high { write!(words, ":{low}") } else { write!(words, ":{low}-{high}") };
        }
        words
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}
