//! What links say of themselves that only a trace wants to know.

use crate::error::Result;
use crate::link::Link;
use crate::netlink::{Answer, Attribute, Batch, Socket};

const NEWLINK: u16 = 16;
const GETLINK: u16 = 18;
const IFLA_LINKINFO: u16 = 18;
const IFLA_GROUP: u16 = 27;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_CARRIER: u16 = 33;
const IFLA_XDP: u16 = 43;
const XDP_ATTACHED: u16 = 2;
const SKIP_STATS: u32 = 1 << 3;
const INFO_DATA: u16 = 2;
const INFO_SLAVE_DATA: u16 = 5;
const BRPORT_STATE: u16 = 1;
const BRPORT_HAIRPIN: u16 = 4;
const BRPORT_ISOLATED: u16 = 33;
const BRIDGE_VLANS: u16 = 7;
const BRIDGE_CALLS_IPTABLES: u16 = 36;
const BRIDGE_CALLS_IP6TABLES: u16 = 37;

/// `BR_STATE_FORWARDING`.
const FORWARDING: u8 = 3;

/// What a link says.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the kernel's")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// What its frames are (`ARPHRD_*`).
    pub hardware: u16,
    /// Its group.
    pub group: u32,
    /// Whether anything is at its other end.
    pub carrier: bool,
    /// Whether a program sees packets before everything else (XDP).
    pub xdp: bool,
    /// As a port of a bridge: whether it is in use.
    pub forwards: bool,
    /// As a port: whether it gets back what came in by it.
    pub hairpin: bool,
    /// As a port: whether it hears nothing of other such ports.
    pub isolated: bool,
    /// As a bridge: whether VLANs keep ports apart.
    pub vlans: bool,
    /// As a bridge: whether what it forwards passes the hooks of IPv4.
    pub calls_iptables: bool,
    /// As a bridge: whether what it forwards passes the hooks of IPv6.
    pub calls_ip6tables: bool,
}

impl Default for Detail {
    fn default() -> Detail {
        Detail {
            hardware: 1,
            group: 0,
            carrier: true,
            xdp: false,
            forwards: true,
            hairpin: false,
            isolated: false,
            vlans: false,
            calls_iptables: false,
            calls_ip6tables: false,
        }
    }
}

/// Those of these links, in their order.
pub(super) fn read(socket: &mut Socket, links: &[Link]) -> Result<Vec<Detail>> {
    let ask = |batch: &mut Batch| {
        batch.list(GETLINK, &[0; 16], "listing links").u32(IFLA_EXT_MASK, SKIP_STATS);
    };
    let all = socket.collect(ask, one)?;
    let of = |link: &Link| all.iter().find(|(index, _)| *index == link.index).map(|(_, detail)| detail.clone());
    Ok(links.iter().map(|link| of(link).unwrap_or_default()).collect())
}

fn one(answer: Answer<'_>) -> Option<(u32, Detail)> {
    let (header, attributes) = answer.split::<16>().filter(|_| answer.kind == NEWLINK)?;
    let [_, _, t0, t1, i0, i1, i2, i3, ..] = header;
    let mut detail = Detail { hardware: u16::from_ne_bytes([t0, t1]), ..Detail::default() };
    for attribute in attributes {
        match attribute.kind {
            IFLA_GROUP => detail.group = attribute.u32().unwrap_or(0),
            IFLA_CARRIER => detail.carrier = byte(attribute) != Some(0),
            IFLA_XDP => {
                detail.xdp = attribute.nested().get(XDP_ATTACHED).and_then(byte).is_some_and(|mode| mode != 0);
            }
            IFLA_LINKINFO => detail.take(attribute),
            _ => {}
        }
    }
    Some((u32::from_ne_bytes([i0, i1, i2, i3]), detail))
}

impl Detail {
    /// What its kind and its bridge have to say. Numbers of kinds overlap; those that are no bridges or ports do not get here,
    /// because nobody asks them for what they do not have.
    fn take(&mut self, info: Attribute<'_>) {
        let inside = |part: u16, kind: u16| info.nested().get(part)?.nested().get(kind).and_then(byte);
        if let Some(state) = inside(INFO_SLAVE_DATA, BRPORT_STATE) {
            self.forwards = state == FORWARDING;
        }
        let is_on = |part: u16, kind: u16| inside(part, kind).is_some_and(|value| value != 0);
        self.hairpin = is_on(INFO_SLAVE_DATA, BRPORT_HAIRPIN);
        self.isolated = is_on(INFO_SLAVE_DATA, BRPORT_ISOLATED);
        self.vlans = is_on(INFO_DATA, BRIDGE_VLANS);
        self.calls_iptables = is_on(INFO_DATA, BRIDGE_CALLS_IPTABLES);
        self.calls_ip6tables = is_on(INFO_DATA, BRIDGE_CALLS_IP6TABLES);
    }
}

fn byte(attribute: Attribute<'_>) -> Option<u8> {
    attribute.bytes.first().copied()
}
