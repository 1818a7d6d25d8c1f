//! The forwarding of packets by this host, without which nothing leaves a bridge.

use super::numbers::{AF_INET, AF_INET6, GETNETCONF, NETCONF_ALL, NETCONF_FORWARDING, NETCONF_IFINDEX, NEWNETCONF};
use super::{Links, sysctl};
use crate::error::Result;
use crate::netlink::{Answer, Attribute, Batch};

/// Whether the host forwards packets, by family: a message of the kernel tells it for three system calls less than a file.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Forwards {
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
}

impl Forwards {
    /// Asks for both. A kernel without a family has no answer for it.
    pub(super) fn ask(batch: &mut Batch) {
        for family in [AF_INET, AF_INET6] {
            batch
                .ask(GETNETCONF, &[family, 0, 0, 0], "asking whether packets are forwarded")
                .tolerate(rustix::io::Errno::OPNOTSUPP)
                .bytes(NETCONF_IFINDEX, &NETCONF_ALL.to_ne_bytes());
        }
    }

    /// Takes what an answer says, if it is about forwarding.
    pub(super) fn take(&mut self, answer: Answer<'_>) {
        let Some(([family, ..], attributes)) = answer.split::<4>().filter(|_| answer.kind == NEWNETCONF) else {
            return;
        };
        let value = attributes.get(NETCONF_FORWARDING);
        let forwards = value.and_then(Attribute::u32).is_some_and(|value| value != 0);
        match family {
            AF_INET => self.ipv4 = forwards,
            AF_INET6 => self.ipv6 = forwards,
            _ => {}
        }
    }
}

impl Links {
    /// Lets the host forward packets.
    ///
    /// A host that forwards IPv6 is a router, and a router does not listen to others (RFC 4861, 6.2.7): the kernel drops
    /// routes that it has learned from them, the default one too, and the host would lose its connection. `accept_ra=2`
    /// says that a link listens all the same; links that listen now are given it before forwarding begins.
    pub(super) fn forward(&mut self, now: Forwards, ipv6: bool) -> Result<()> {
        if !now.ipv4 {
            sysctl::set("ipv4/ip_forward", "1")?;
        }
        if ipv6 && !now.ipv6 {
            for found in self.found()? {
                if found.accept_ra == Some(1) && !found.link.loopback && super::check_name(&found.link.name).is_ok() {
                    sysctl::set(&format!("ipv6/conf/{}/accept_ra", found.link.name), "2")?;
                }
            }
            sysctl::set("ipv6/conf/all/forwarding", "1")?;
        }
        Ok(())
    }
}
