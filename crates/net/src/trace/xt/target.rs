//! Targets of iptables.

use std::net::IpAddr;

use super::super::connection::End;
use super::super::evaluate::{To, range};
use super::super::packet::Packet;
use super::info::Info;

/// What a target does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Target {
    /// Nothing that matters for the way of a packet.
    Nothing,
    /// Decides: accept, or drop.
    Accept,
    /// Drops.
    Drop,
    /// Back to the chain that jumped here.
    Return,
    /// Drops and says so.
    Reject(String),
    /// Translates.
    Translate(End, To),
    /// Translates the source to an address of the interface that the packet leaves by.
    Masquerade(To),
    /// Translates the destination to this host.
    Redirect(To),
    /// Changes the packet's mark: these bits are cleared, then those are turned.
    Mark { clear: u32, turn: u32 },
    /// Changes the mark of the connection so.
    ConnectionMark { clear: u32, turn: u32 },
    /// Copies the packet's mark to the connection's: what of it, over what.
    SaveMark { from: u32, over: u32 },
    /// Copies the connection's mark to the packet's.
    RestoreMark { from: u32, over: u32 },
    /// The packet's connection is not to be tracked.
    Notrack,
    /// Who knows.
    Unknown(String),
}

/// `struct nf_nat_range` in one of its forms.
struct Range {
    flags: u32,
    addresses: (IpAddr, IpAddr),
    ports: (u16, u16),
}

/// What a target does to this packet; `end` is the one that is translated where the rule is.
pub(in super::super) fn target(name: &str, revision: u32, info: &[u8], packet: &Packet, end: End) -> Target {
    known(name, revision, Info(info), packet, end).unwrap_or_else(|| {
        Target::Unknown(format!("revision {revision} of the target {name} of iptables is not known here"))
    })
}

fn known(name: &str, revision: u32, info: Info<'_>, packet: &Packet, end: End) -> Option<Target> {
    Some(match name {
        "ACCEPT" => Target::Accept,
        "DROP" => Target::Drop,
        "RETURN" => Target::Return,
        "REJECT" => Target::Reject(reject(info, packet)?.to_owned()),
        "SNAT" => translate(End::Source, revision, info, packet)?,
        "DNAT" => translate(End::Destination, revision, info, packet)?,
        "NETMAP" => {
            let addresses = Some(nat_range(0, info, packet)?.addresses);
            Target::Translate(end, To { addresses, ports: None, flags: range::NETMAP })
        }
        "MASQUERADE" => Target::Masquerade(nat_range(0, info, packet)?.to()),
        "REDIRECT" => Target::Redirect(nat_range(0, info, packet)?.to()),
        "MARK" => return mark(revision, info),
        "CONNMARK" => return connection_mark(revision, info),
        "NOTRACK" => Target::Notrack,
        "CT" if info.u16(0)? & 1 != 0 => Target::Notrack,
        "CT" | "LOG" | "NFLOG" | "TCPMSS" | "TRACE" | "AUDIT" | "CLASSIFY" | "DSCP" | "TOS" | "TTL" | "HL"
        | "SECMARK" | "CONNSECMARK" | "CHECKSUM" | "SET" | "RATEEST" | "IDLETIMER" | "LED" | "TEE" | "TCPOPTSTRIP"
        | "ECN" => Target::Nothing,
        _ => Target::Unknown(format!("what the target {name} of iptables does is not known here")),
    })
}

fn translate(end: End, revision: u32, info: Info<'_>, packet: &Packet) -> Option<Target> {
    let range = nat_range(revision, info, packet)?;
    let mut to = range.to();
    if range.flags & range::SHIFTED != 0 {
        // As far behind the first as the packet's port is behind the one that was named.
        let behind = packet.flow.destination_port.wrapping_sub(info.port(40)?);
        to.ports = to.ports.map(|(low, high)| {
            let size = high.wrapping_sub(low).saturating_add(1).max(1);
            let port = low.wrapping_add(behind % size);
            (port, port)
        });
    }
    Some(Target::Translate(end, to))
}

impl Range {
    fn to(&self) -> To {
        let has = |flag: u32| self.flags & flag != 0;
        To {
            addresses: has(range::ADDRESSES).then_some(self.addresses),
            ports: has(range::PORTS).then_some(self.ports),
            flags: self.flags,
        }
    }
}

/// The range of a target: of IPv4, revision 0 is a form of its own (`nf_nat_ipv4_multi_range_compat`), all else is
/// `nf_nat_range`, with or without something behind.
fn nat_range(revision: u32, info: Info<'_>, packet: &Packet) -> Option<Range> {
    if packet.is_ipv4() && revision == 0 {
        let v4 = |at| info.bytes::<4>(at).map(IpAddr::from);
        return Some(Range {
            flags: info.u32(4)?,
            addresses: (v4(8)?, v4(12)?),
            ports: (info.port(16)?, info.port(18)?),
        });
    }
    let own = packet.flow.destination;
    Some(Range {
        flags: info.u32(0)?,
        addresses: (info.address(4, own)?, info.address(20, own)?),
        ports: (info.port(36)?, info.port(38)?),
    })
}

fn mark(revision: u32, info: Info<'_>) -> Option<Target> {
    let (turn, clear) = (info.u32(0)?, info.u32(4)?);
    (revision == 2).then_some(Target::Mark { clear, turn })
}

/// Revision 2 can shift what it copies, in front of the mode; rules that do are rare.
fn connection_mark(revision: u32, info: Info<'_>) -> Option<Target> {
    let (turn, clear, of_packet) = (info.u32(0)?, info.u32(4)?, info.u32(8)?);
    let (shift, mode) = match revision {
        1 => (0, info.u8(12)?),
        2 => (info.u8(13)?, info.u8(14)?),
        _ => return None,
    };
    Some(match mode {
        _ if shift != 0 => Target::Unknown("a mark that is shifted on the way is not known here".to_owned()),
        0 => Target::ConnectionMark { clear, turn },
        1 => Target::SaveMark { from: of_packet, over: clear },
        2 => Target::RestoreMark { from: clear, over: of_packet },
        _ => return None,
    })
}

fn reject(info: Info<'_>, packet: &Packet) -> Option<&'static str> {
    const IPV4: [&str; 9] = [
        "icmp net-unreachable",
        "icmp host-unreachable",
        "icmp prot-unreachable",
        "icmp port-unreachable",
        "an echo reply",
        "icmp net-prohibited",
        "icmp host-prohibited",
        "tcp reset",
        "icmp admin-prohibited",
    ];
    const IPV6: [&str; 9] = [
        "icmpv6 no-route",
        "icmpv6 admin-prohibited",
        "icmpv6 not-neighbour",
        "icmpv6 addr-unreachable",
        "icmpv6 port-unreachable",
        "an echo reply",
        "tcp reset",
        "icmpv6 policy-fail",
        "icmpv6 reject-route",
    ];
    let names = if packet.is_ipv4() { IPV4 } else { IPV6 };
    names.get(usize::try_from(info.u32(0)?).ok()?).copied()
}
