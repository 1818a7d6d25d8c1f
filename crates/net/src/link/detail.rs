//! What links say of themselves that only a trace wants to know.

use super::list::without_counters;
use super::numbers::{
    BRIDGE_CALLS_IP6TABLES, BRIDGE_CALLS_IPTABLES, BRIDGE_VLANS, BRPORT_HAIRPIN, BRPORT_ISOLATED, BRPORT_STATE,
    GETLINK, IFLA_CARRIER, IFLA_GROUP, IFLA_LINKINFO, IFLA_XDP, INFO_DATA, INFO_SLAVE_DATA, NEWLINK, STATE_FORWARDING,
    XDP_ATTACHED,
};
use super::{Link, Links, link_header};
use crate::error::Result;
use crate::netlink::{Answer, Attribute, Batch};

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

impl Links {
    /// Those of these links, in their order.
    ///
    /// # Errors
    /// `System`.
    pub fn details(&mut self, links: &[Link]) -> Result<Vec<Detail>> {
        let ask = |batch: &mut Batch| {
            without_counters(&mut batch.list(GETLINK, &link_header(0, 0), "listing links"));
        };
        let all = self.socket.collect(ask, one)?;
        let of = |link: &Link| all.iter().find(|(index, _)| *index == link.index).map(|(_, detail)| detail.clone());
        Ok(links.iter().map(|link| of(link).unwrap_or_default()).collect())
    }
}

fn one(answer: Answer<'_>) -> Option<(u32, Detail)> {
    let (header, attributes) = answer.split::<16>().filter(|_| answer.kind == NEWLINK)?;
    let [_, _, t0, t1, i0, i1, i2, i3, ..] = header;
    let mut detail = Detail { hardware: u16::from_ne_bytes([t0, t1]), ..Detail::default() };
    for attribute in attributes {
        match attribute.kind {
            IFLA_GROUP => detail.group = attribute.u32().unwrap_or(0),
            IFLA_CARRIER => detail.carrier = attribute.u8() != Some(0),
            IFLA_XDP => {
                detail.xdp = attribute.nested().get(XDP_ATTACHED).and_then(Attribute::u8).is_some_and(|mode| mode != 0);
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
        let inside = |part: u16, kind: u16| info.nested().get(part)?.nested().get(kind).and_then(Attribute::u8);
        if let Some(state) = inside(INFO_SLAVE_DATA, BRPORT_STATE) {
            self.forwards = state == STATE_FORWARDING;
        }
        let is_on = |part: u16, kind: u16| inside(part, kind).is_some_and(|value| value != 0);
        self.hairpin = is_on(INFO_SLAVE_DATA, BRPORT_HAIRPIN);
        self.isolated = is_on(INFO_SLAVE_DATA, BRPORT_ISOLATED);
        self.vlans = is_on(INFO_DATA, BRIDGE_VLANS);
        self.calls_iptables = is_on(INFO_DATA, BRIDGE_CALLS_IPTABLES);
        self.calls_ip6tables = is_on(INFO_DATA, BRIDGE_CALLS_IP6TABLES);
    }
}
