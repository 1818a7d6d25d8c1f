//! Subnets that are taken on this host.

use super::Links;
use super::numbers::{
    GETROUTE, NEWROUTE, ROUTE_BLACKHOLE, ROUTE_PROHIBIT, ROUTE_UNICAST, ROUTE_UNREACHABLE, RTA_DST, RTA_TABLE,
    TABLE_MAIN,
};
use crate::address::Subnet;
use crate::error::{Error, ErrorKind, Result};
use crate::netlink::{Answer, Batch};

/// Whose bridge stays when two have the same addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    index: u32,
    subnet: Subnet,
}

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
        subnets.extend(self.claims()?.into_iter().map(|claim| claim.subnet));
        subnets.sort_unstable();
        subnets.dedup();
        Ok(subnets)
    }

    /// Whether a bridge has a subnet that another link had before: two stores may choose the same one at the same time, and
    /// the link with the lower number wins. Returns the other link's name and its subnet.
    ///
    /// # Errors
    /// `NotFound` without the bridge, `System`.
    pub fn claims_conflict(&mut self, bridge: &str) -> Result<Option<(String, Subnet)>> {
        let gone = || Error::new(ErrorKind::NotFound, format!("there is no bridge {bridge} on this host"));
        let index = self.index(bridge)?.ok_or_else(gone)?;
        let (own, others): (Vec<Claim>, Vec<Claim>) =
            self.claims()?.into_iter().filter(|claim| claim.index <= index).partition(|claim| claim.index == index);
        let overlaps = |other: &Claim| own.iter().any(|claim| claim.subnet.overlaps(other.subnet));
        let Some(other) = others.into_iter().find(overlaps) else { return Ok(None) };
        let link = self.found()?.into_iter().find(|found| found.link.index == other.index);
        Ok(link.map(|found| (found.link.name, other.subnet)))
    }

    /// Subnets of links, but those that every link has.
    fn claims(&mut self) -> Result<Vec<Claim>> {
        let claims = self.addresses(0)?.into_iter().filter_map(|(index, address)| {
            let subnet = address.subnet().ok()?;
            (subnet.prefix() > 0 && !is_link_local(subnet)).then_some(Claim { index, subnet })
        });
        Ok(claims.collect())
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
