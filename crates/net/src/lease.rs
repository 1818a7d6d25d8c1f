//! Leases: which addresses an endpoint gets. A lease is the endpoint's entry in the network's register.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::address::Mac;
use crate::register::Register;
use crate::{Endpoint, Error, ErrorKind, Network, Pool, Result};

/// So many other containers of a network are looked at by the way, whether they have died without anybody noticing: two
/// microseconds each.
const LOOKED_AT: usize = 16;

/// What a container wants on a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The container's id.
    pub container: String,
    /// What it is called: its name first.
    pub names: Vec<String>,
    /// This address of IPv4, and no other.
    pub ipv4: Option<Ipv4Addr>,
    /// This address of IPv6, and no other.
    pub ipv6: Option<Ipv6Addr>,
    /// This hardware address; otherwise one that follows from its first address.
    pub mac: Option<Mac>,
}

/// A container's new place in a register, and who has left it for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Its place on the network, the last one of the register.
    pub(crate) endpoint: Endpoint,
    /// Endpoints that are in the register no more: what the container itself had before, and those of containers that are
    /// dead.
    pub(crate) evicted: Vec<Endpoint>,
}

/// Finds addresses for a container in a register, which has its place from then on. `is_dead` tells of another container
/// whether it has ended without anybody noticing; it is asked about a few of them, and about all where their addresses are
/// needed.
///
/// # Errors
/// `Conflict` when an address is taken, or none is left; `Invalid` for one that is not of the network.
pub(crate) fn lease(register: &mut Register, wish: &Wish, is_dead: &dyn Fn(&str) -> bool) -> Result<Lease> {
    check(&register.network, wish.ipv4, wish.ipv6)?;
    let own = |endpoint: &mut Endpoint| endpoint.container == wish.container;
    let mut evicted: Vec<Endpoint> = register.endpoints.extract_if(.., own).collect();
    let dead = |endpoint: &mut Endpoint| is_dead(&endpoint.container);
    let some = some_of(register.endpoints.len())?;
    evicted.extend(register.endpoints.extract_if(some, dead));
    let endpoint = match choose(register, wish) {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            evicted.extend(register.endpoints.extract_if(.., dead));
            choose(register, wish)?
        }
        other => other?,
    };
    register.endpoints.push(endpoint.clone());
    Ok(Lease { endpoint, evicted })
}

/// All of so many, or some of them, other ones each time.
fn some_of(all: usize) -> Result<Range<usize>> {
    if all <= LOOKED_AT {
        return Ok(0..all);
    }
    let first = usize::from(u16::from_ne_bytes(random()?)) % (all - LOOKED_AT + 1);
    Ok(first..first + LOOKED_AT)
}

fn choose(register: &Register, wish: &Wish) -> Result<Endpoint> {
    let network = &register.network;
    let address =
        |pool: Option<&Pool>, asked: Option<IpAddr>| pool.map(|pool| address(register, pool, asked)).transpose();
    let ipv4 = address(network.ipv4(), wish.ipv4.map(IpAddr::V4))?;
    let ipv6 = address(network.ipv6(), wish.ipv6.map(IpAddr::V6))?;
    let id = random_hex::<32>()?;
    Ok(Endpoint {
        container: wish.container.clone(),
        names: wish.names.clone(),
        link: if network.is_bridge() { format!("veth{}", &id[..7]) } else { String::new() },
        mac: wish.mac.or(ipv4.or(ipv6).map(Mac::of)).map_or_else(random_mac, Ok)?,
        ipv4: ipv4.and_then(|address| if let IpAddr::V4(address) = address { Some(address) } else { None }),
        ipv6: ipv6.and_then(|address| if let IpAddr::V6(address) = address { Some(address) } else { None }),
        ports: Vec::new(),
        id,
    })
}

fn address(register: &Register, pool: &Pool, asked: Option<IpAddr>) -> Result<IpAddr> {
    let network = &register.network.name;
    let of_endpoint = |endpoint: &Endpoint| endpoint.address_like(pool.gateway);
    if let Some(asked) = asked {
        let holder = register.endpoints.iter().find(|endpoint| of_endpoint(endpoint) == Some(asked));
        return match holder {
            Some(holder) => {
                let name = holder.names.first().unwrap_or(&holder.container);
                let message = format!("address {asked} of network {network} is in use by container {name}");
                Err(Error::new(ErrorKind::Conflict, message).with_hint("give another address, or none"))
            }
            None => Ok(asked),
        };
    }
    let others = [pool.gateway].into_iter().chain(pool.aux.values().copied());
    let mut taken: Vec<IpAddr> = register.endpoints.iter().filter_map(of_endpoint).chain(others).collect();
    taken.sort_unstable();
    let range = pool.range.unwrap_or(pool.subnet);
    range.lowest_free(pool.subnet, &taken).ok_or_else(|| {
        Error::new(ErrorKind::Conflict, format!("network {network}: no address of {range} is free"))
            .with_hint("stop a container of the network, or make one with a larger subnet")
    })
}

/// Whether addresses that are wished for can be of the network at all.
///
/// # Errors
/// `Invalid` for one that is not of its subnets, `Conflict` for one that is somebody's by definition.
pub fn check(network: &Network, ipv4: Option<Ipv4Addr>, ipv6: Option<Ipv6Addr>) -> Result<()> {
    let asked = [("IPv4", network.ipv4(), ipv4.map(IpAddr::V4)), ("IPv6", network.ipv6(), ipv6.map(IpAddr::V6))];
    for (family, pool, address) in asked {
        let Some(address) = address else { continue };
        let name = &network.name;
        let Some(pool) = pool else {
            return Err(Error::invalid(format!("address {address}: network {name} has no {family}")));
        };
        if !pool.subnet.is_assignable(address) {
            let message = format!("address {address}: not one of {}, the subnet of network {name}", pool.subnet);
            return Err(Error::invalid(message));
        }
        let aux = pool.aux.iter().find(|(_, aux)| **aux == address).map(|(name, _)| name.as_str());
        if let Some(holder) = aux.or((address == pool.gateway).then_some("the gateway")) {
            let message = format!("address {address} of network {name} is in use by {holder}");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
    }
    Ok(())
}

/// A hardware address for an endpoint without any other: locally administered, of one station.
fn random_mac() -> Result<Mac> {
    let mut bytes = random::<6>()?;
    bytes[0] = bytes[0] & 0xfc | 0x02;
    Ok(Mac(bytes))
}

/// So many random bytes in hexadecimal.
///
/// # Errors
/// `System` when the kernel has none.
fn random_hex<const N: usize>() -> Result<String> {
    let digits = random::<N>()?.map(|byte| format!("{byte:02x}"));
    Ok(digits.concat())
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match got {
        Ok(count) if count == N => Ok(bytes),
        Ok(_) => Err(Error::system("getrandom", rustix::io::Errno::IO)),
        Err(errno) => Err(Error::system("getrandom", errno)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::Driver;

    pub(crate) fn network(subnet: &str) -> Network {
        let subnet: crate::address::Subnet = subnet.parse().expect("is one");
        let gateway = subnet.lowest_free(subnet, &[]).expect("is in it");
        Network {
            id: "1".repeat(64),
            name: "web".to_owned(),
            created: "2026-01-01T00:00:00Z".to_owned(),
            driver: Driver::Bridge,
            link: "br-1".to_owned(),
            keeps_link: false,
            pools: vec![Pool { subnet, range: None, gateway, aux: std::collections::BTreeMap::new() }],
            internal: false,
            icc: true,
            masquerade: true,
            names: true,
            mtu: None,
            host_binding: None,
            options: std::collections::BTreeMap::new(),
            labels: std::collections::BTreeMap::new(),
        }
    }

    pub(crate) fn wish(container: &str) -> Wish {
        Wish { container: container.to_owned(), names: vec![container.to_owned()], ..Wish::default() }
    }

    #[test]
    fn addresses_are_given_and_given_back() {
        let register = RefCell::new(Register::new(network("10.0.0.0/29")));
        let take = |wish: &Wish, dead: &str| {
            lease(&mut register.borrow_mut(), wish, &|container| container == dead)
                .map(|lease| (lease.endpoint.ipv4.expect("it has one").to_string(), lease.evicted.len()))
        };
        for (name, expected, evicted) in [("a", "10.0.0.2", 0), ("b", "10.0.0.3", 0), ("a", "10.0.0.2", 1)] {
            assert_eq!(take(&wish(name), "").expect("one is free"), (expected.to_owned(), evicted));
        }
        let fixed = |name: &str, address: [u8; 4]| Wish { ipv4: Some(address.into()), ..wish(name) };
        let refused = |wish: &Wish| take(wish, "").expect_err("it is refused").to_string();
        assert_eq!(refused(&fixed("c", [10, 0, 0, 3])), "address 10.0.0.3 of network web is in use by container b");
        assert_eq!(refused(&fixed("c", [10, 0, 0, 1])), "address 10.0.0.1 of network web is in use by the gateway");
        assert!(refused(&fixed("c", [10, 0, 0, 7])).contains("not one of 10.0.0.0/29"));
        assert!(refused(&Wish { ipv6: Some(Ipv6Addr::LOCALHOST), ..wish("c") }).contains("has no IPv6"));
        // Somebody dead gives his address up for who needs it.
        assert_eq!(take(&fixed("c", [10, 0, 0, 3]), "b").expect("it is free now"), ("10.0.0.3".to_owned(), 1));
        for (name, expected) in [("d", "10.0.0.4"), ("e", "10.0.0.5"), ("f", "10.0.0.6")] {
            assert_eq!(take(&wish(name), "").expect("one is free").0, expected);
        }
        assert_eq!(refused(&wish("g")), "network web: no address of 10.0.0.0/29 is free");
        assert_eq!(take(&wish("g"), "d").expect("one is free"), ("10.0.0.4".to_owned(), 1));
    }
}
