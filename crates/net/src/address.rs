//! Addresses: subnets as CIDR, hardware addresses, and which address of a subnet is the next that is free. Pure.

use std::fmt::{self, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A subnet (RFC 4632): the bits behind its prefix are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

/// A hardware address (EUI-48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mac(pub [u8; 6]);

impl Subnet {
    /// The subnet of `prefix` bits that `address` is in.
    ///
    /// # Errors
    /// `Invalid` for a prefix that is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Subnet> {
        if u32::from(prefix) > bits(address) {
            return Err(Error::invalid(format!("{address}/{prefix}: the prefix has at most {} bits", bits(address))));
        }
        let mask = mask(address, prefix);
        Ok(Subnet { address: from_number(number(address) & mask, address.is_ipv4()), prefix })
    }

    /// Its first address, which names it.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits are fixed.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether it is one of IPv4.
    pub fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }

    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4() && number(address) & mask(self.address, self.prefix) == number(self.address)
    }

    /// Whether a whole subnet is in it.
    pub fn contains_subnet(self, other: Subnet) -> bool {
        other.prefix >= self.prefix && self.contains(other.address)
    }

    /// Whether there is an address in both.
    pub fn overlaps(self, other: Subnet) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// Its last address: of IPv4, the one of all (RFC 919).
    pub fn last(self) -> IpAddr {
        from_number(number(self.address) | !mask(self.address, self.prefix) & width(self.address), self.is_ipv4())
    }

    /// Whether an address may be given to somebody: the first and the last of IPv4 stand for the subnet, and the first
    /// of IPv6 for its routers (RFC 4291, 2.6.1). Subnets of two addresses have no such (RFC 3021, RFC 6164).
    pub fn is_assignable(self, address: IpAddr) -> bool {
        let free = bits(self.address) - u32::from(self.prefix);
        self.contains(address)
            && (free <= 1 || address != self.address && (address.is_ipv6() || address != self.last()))
    }

    /// The lowest address of it that is free and may be given to somebody. `taken` has been sorted.
    pub fn lowest_free(self, within: Subnet, taken: &[IpAddr]) -> Option<IpAddr> {
        let (first, last) = (number(self.address), number(self.last()));
        let mut candidate = first;
        let mut taken =
            taken.iter().filter(|address| self.contains(**address)).map(|address| number(*address)).peekable();
        while candidate <= last {
            while taken.next_if(|number| *number < candidate).is_some() {}
            let address = from_number(candidate, self.is_ipv4());
            if taken.peek() != Some(&candidate) && within.is_assignable(address) {
                return Some(address);
            }
            candidate = candidate.checked_add(1)?;
        }
        None
    }
}

impl Mac {
    /// The one that follows from an address, so that whoever has that address later is not looked for elsewhere: locally
    /// administered, `02:42` and the address, as Docker has it; of IPv6, its last four bytes.
    pub fn of(address: IpAddr) -> Mac {
        let [a, b, c, d] = match address {
            IpAddr::V4(address) => address.octets(),
            IpAddr::V6(address) => {
                let [.., a, b, c, d] = address.octets();
                [a, b, c, d]
            }
        };
        Mac([0x02, 0x42, a, b, c, d])
    }
}

fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// All bits of the address's family.
fn width(address: IpAddr) -> u128 {
    if address.is_ipv4() { u128::from(u32::MAX) } else { u128::MAX }
}

fn mask(address: IpAddr, prefix: u8) -> u128 {
    let free = bits(address) - u32::from(prefix);
    width(address).checked_shr(free).unwrap_or(0).checked_shl(free).unwrap_or(0)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The address with this number; what does not fit into IPv4 is cut off.
fn from_number(number: u128, is_ipv4: bool) -> IpAddr {
    if is_ipv4 {
        let [.., a, b, c, d] = number.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    } else {
        IpAddr::V6(Ipv6Addr::from(number))
    }
}

impl FromStr for Subnet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Subnet> {
        let invalid =
            || Error::invalid(format!("{text}: not a subnet")).with_hint("such as 10.1.0.0/16 or fd00:1::/64");
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        Subnet::new(address.parse().map_err(|_| invalid())?, prefix.parse().map_err(|_| invalid())?)
    }
}

impl Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Mac> {
        let invalid =
            || Error::invalid(format!("{text}: not a hardware address")).with_hint("such as 02:42:ac:11:00:02");
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .ok_or_else(invalid)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| invalid())?;
        }
        if parts.next().is_some() {
            return Err(invalid());
        }
        Ok(Mac(bytes))
    }
}

impl Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.map(|byte| format!("{byte:02x}"));
        f.write_str(&bytes.join(":"))
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> String {
        subnet.to_string()
    }
}

impl TryFrom<String> for Subnet {
    type Error = Error;

    fn try_from(text: String) -> Result<Subnet> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> String {
        mac.to_string()
    }
}

impl TryFrom<String> for Mac {
    type Error = Error;

    fn try_from(text: String) -> Result<Mac> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().expect("is one")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("is one")
    }

    #[test]
    fn subnets() {
        for (text, expected) in [
            ("10.1.2.3/16", Some("10.1.0.0/16")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("::/0", Some("::/0")),
            ("10.1.2.3/32", Some("10.1.2.3/32")),
            ("fd00:1::5/64", Some("fd00:1::/64")),
            ("10.1.2.3/33", None),
            ("10.1.2.3", None),
            ("x/8", None),
            ("::1/129", None),
        ] {
            let found = text.parse::<Subnet>().ok().map(|subnet| subnet.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_in_a_subnet() {
        assert!(subnet("10.0.0.0/8").overlaps(subnet("10.2.0.0/16")));
        assert!(subnet("10.2.0.0/16").overlaps(subnet("10.0.0.0/8")));
        assert!(!subnet("10.2.0.0/16").overlaps(subnet("10.3.0.0/16")));
        assert!(!subnet("0.0.0.0/0").overlaps(subnet("::/0")));
        assert!(subnet("0.0.0.0/0").contains(address("255.255.255.255")));
        assert_eq!(subnet("10.2.0.0/16").last(), address("10.2.255.255"));
        assert_eq!(subnet("::/0").last(), address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    }

    #[test]
    fn the_lowest_free_address() {
        let check = |range: &str, within: &str, taken: &[&str], expected: Option<&str>| {
            let taken: Vec<IpAddr> = taken.iter().map(|text| address(text)).collect();
            let found = subnet(range).lowest_free(subnet(within), &taken).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{range} {taken:?}");
        };
        check("10.0.0.0/24", "10.0.0.0/24", &[], Some("10.0.0.1"));
        check("10.0.0.0/24", "10.0.0.0/24", &["9.9.9.9", "10.0.0.1", "10.0.0.2", "10.0.0.4"], Some("10.0.0.3"));
        check("10.0.0.0/30", "10.0.0.0/30", &["10.0.0.1", "10.0.0.2"], None);
        check("10.0.0.0/31", "10.0.0.0/31", &["10.0.0.0"], Some("10.0.0.1"));
        check("10.0.0.128/25", "10.0.0.0/24", &[], Some("10.0.0.128"));
        check("fd00::/64", "fd00::/64", &["fd00::1"], Some("fd00::2"));
        check("255.255.255.254/31", "255.255.255.254/31", &["255.255.255.254", "255.255.255.255"], None);
    }

    #[test]
    fn hardware_addresses() {
        assert_eq!(Mac::of(address("172.17.0.2")).to_string(), "02:42:ac:11:00:02");
        assert_eq!("02-42-AC-11-00-02".parse::<Mac>().ok(), Some(Mac::of(address("172.17.0.2"))));
        for wrong in
            ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "02:42:ac:11:00:zz", "2:42:ac:11:0:2", "+1:42:ac:11:00:02"]
        {
            assert!(wrong.parse::<Mac>().is_err(), "{wrong}");
        }
    }
}
