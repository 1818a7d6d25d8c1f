//! Which subnet a network gets if nobody says. Pure.
//!
//! Those of IPv4 are docker's, in its order. Those of IPv6 are unique local ones (RFC 4193): 40 bits that are this store's,
//! and 16 that count its networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use net::address::Subnet;

/// The first subnet of IPv4 in which no address is taken.
pub(super) fn free_ipv4(taken: &[Subnet]) -> Option<Subnet> {
    let large = (17..=31).map(|second| subnet(Ipv4Addr::new(172, second, 0, 0).into(), 16));
    let small = (0..=240).step_by(16).map(|third| subnet(Ipv4Addr::new(192, 168, third, 0).into(), 20));
    large.chain(small).find(|subnet| is_free(*subnet, taken))
}

/// The same of IPv6, of the store that has these 40 bits.
pub(super) fn free_ipv6(seed: [u8; 5], taken: &[Subnet]) -> Option<Subnet> {
    let numbered = |number: u16| {
        let mut bytes = [0; 16];
        bytes[0] = 0xfd;
        bytes[1..6].copy_from_slice(&seed);
        bytes[6..8].copy_from_slice(&number.to_be_bytes());
        subnet(Ipv6Addr::from(bytes).into(), 64)
    };
    (0..=u16::MAX).map(numbered).find(|subnet| is_free(*subnet, taken))
}

fn is_free(subnet: Subnet, taken: &[Subnet]) -> bool {
    // A default route is no network.
    !taken.iter().any(|taken| taken.prefix() > 0 && taken.overlaps(subnet))
}

fn subnet(address: IpAddr, prefix: u8) -> Subnet {
    Subnet::new(address, prefix).expect("the prefix is shorter than the address")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnets(texts: &[&str]) -> Vec<Subnet> {
        texts.iter().map(|text| text.parse().expect("is one")).collect()
    }

    #[test]
    fn the_first_that_is_free() {
        let check = |taken: &[&str], expected: &str| {
            let found = free_ipv4(&subnets(taken)).expect("is one");
            assert_eq!(found.to_string(), expected, "{taken:?}");
        };
        check(&[], "172.17.0.0/16");
        check(&["172.17.0.0/16", "0.0.0.0/0"], "172.18.0.0/16");
        check(&["172.16.0.0/12"], "192.168.0.0/20");
        check(&["172.16.0.0/12", "192.168.1.7/32"], "192.168.16.0/20");
        assert_eq!(free_ipv4(&subnets(&["172.16.0.0/12", "192.168.0.0/16"])), None);
    }

    #[test]
    fn each_store_has_its_own_of_ipv6() {
        let seed = [1, 2, 3, 4, 5];
        let first = free_ipv6(seed, &[]).expect("is one");
        assert_eq!(first.to_string(), "fd01:203:405::/64");
        assert_eq!(free_ipv6(seed, &[first]).expect("is one").to_string(), "fd01:203:405:1::/64");
        assert_eq!(free_ipv6(seed, &subnets(&["fd00::/8"])), None);
    }
}
