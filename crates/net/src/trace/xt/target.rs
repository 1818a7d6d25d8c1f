//! Targets of iptables.

use super::super::connection::End;
use super::super::evaluate::{To, range};
use super::super::packet::Packet;
use super::info::Info;
use super::range::Range;
use crate::nft::Reject;

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
    Reject(Reject),
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

/// Whether a target changes nothing that matters for the way of a packet, and decides nothing.
pub(in super::super) fn is_harmless(name: &str) -> bool {
    const HARMLESS: [&str; 20] = [
        "LOG",
        "NFLOG",
        "TCPMSS",
        "TRACE",
        "AUDIT",
        "CLASSIFY",
        "DSCP",
        "TOS",
        "TTL",
        "HL",
        "SECMARK",
        "CONNSECMARK",
        "CHECKSUM",
        "SET",
        "RATEEST",
        "IDLETIMER",
        "LED",
        "TEE",
        "TCPOPTSTRIP",
        "ECN",
    ];
    HARMLESS.contains(&name)
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
        "REJECT" => Target::Reject(reject(info, packet)?),
        "SNAT" => translate(End::Source, revision, info, packet)?,
        "DNAT" => translate(End::Destination, revision, info, packet)?,
        "NETMAP" => {
            let addresses = Some(Range::read(0, info, packet.is_ipv4())?.addresses);
            Target::Translate(end, To { addresses, ports: None, flags: range::NETMAP })
        }
        "MASQUERADE" => Target::Masquerade(Range::read(0, info, packet.is_ipv4())?.to()),
        "REDIRECT" => Target::Redirect(Range::read(0, info, packet.is_ipv4())?.to()),
        "MARK" => return mark(revision, info),
        "CONNMARK" => return connection_mark(revision, info),
        "NOTRACK" => Target::Notrack,
        "CT" if info.u16(0)? & 1 != 0 => Target::Notrack,
        "CT" => Target::Nothing,
        name if is_harmless(name) => Target::Nothing,
        _ => Target::Unknown(format!("what the target {name} of iptables does is not known here")),
    })
}

fn translate(end: End, revision: u32, info: Info<'_>, packet: &Packet) -> Option<Target> {
    let range = Range::read(revision, info, packet.is_ipv4())?;
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

/// `enum ipt_reject_with` and `enum ip6t_reject_with`, in which echo replies are not in use.
fn reject(info: Info<'_>, packet: &Packet) -> Option<Reject> {
    const IPV4: [Reject; 9] = [
        Reject::Icmp(0),
        Reject::Icmp(1),
        Reject::Icmp(2),
        Reject::Icmp(3),
        Reject::Other(0, 0),
        Reject::Icmp(9),
        Reject::Icmp(10),
        Reject::TcpReset,
        Reject::Icmp(13),
    ];
    const IPV6: [Reject; 9] = [
        Reject::Icmp(0),
        Reject::Icmp(1),
        Reject::Icmp(2),
        Reject::Icmp(3),
        Reject::Icmp(4),
        Reject::Other(129, 0),
        Reject::TcpReset,
        Reject::Icmp(5),
        Reject::Icmp(6),
    ];
    let all = if packet.is_ipv4() { IPV4 } else { IPV6 };
    all.get(usize::try_from(info.u32(0)?).ok()?).copied()
}
