//! Subnets that are taken on this host.

use super::Links;
use super::numbers::{
    GETROUTE, NEWROUTE, ROUTE_BLACKHOLE, ROUTE_PROHIBIT, ROUTE_UNICAST, ROUTE_UNREACHABLE, RTA_DST, RTA_TABLE,
    TABLE_MAIN,
};
use crate::address::Subnet;
use crate::error::Result;
use crate::netlink::{Answer, Batch};

impl Links {
    /// Subnets that a new network must keep clear of, because packets to them go somewhere already: routes of the main table
    /// but default ones, and subnets around addresses of links. Sorted.
    ///
    /// # Errors
    /// `System`.
    pub fn subnets_in_use(&mut self) -> Result<Vec<Subnet>> {
        let ask = |batch: &mut Batch| {
            let header = [0, 0, 0, 0, TABLE_MAIN, 0, 0, 0, 0, 0, 0, 0];
            batch.list(GETROUTE, &header, "listing routes").u32(RTA_TABLE, TABLE_MAIN.into());
        };
        let mut subnets = self.socket.collect(ask, read_destination)?;
        let around = self.addresses(0)?.into_iter().filter_map(|(_, address)| address.subnet().ok());
        subnets.extend(around.filter(|subnet| subnet.prefix() > 0 && !is_link_local(*subnet)));
        subnets.sort_unstable();
        subnets.dedup();
        Ok(subnets)
    }
}

/// `fe80::/10`, which is on every link.
fn is_link_local(subnet: Subnet) -> bool {
    matches!(subnet.address(), std::net::IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Where a route leads, unless it is a default route or one that the kernel makes of its own accord.
fn read_destination(answer: Answer<'_>) -> Option<Subnet> {
    let (header, attributes) = answer.split::<12>().filter(|_| answer.kind == NEWROUTE)?;
    let [_, prefix, _, _, table, _, _, kind, ..] = header;
    // Ranges that are closed on purpose are somebody's as well.
    let counts = matches!(kind, ROUTE_UNICAST | ROUTE_BLACKHOLE | ROUTE_UNREACHABLE | ROUTE_PROHIBIT);
    if !counts || table != TABLE_MAIN || prefix == 0 {
        return None;
    }
    let destination = attributes.get(RTA_DST)?.address()?;
    Subnet::new(destination, prefix).ok().filter(|subnet| !is_link_local(*subnet))
}
