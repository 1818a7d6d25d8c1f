//! Interfaces, and whether anything outside can be reached.
//!
//! No packet is sent: connecting a UDP socket only makes the kernel look for a route.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use crate::seen::{Seen, Unseen};

/// Where [`interfaces`]' text comes from. Not `/sys/class/net`: that shows the namespace that mounted `/sys`.
pub(crate) const DEVICES: &str = "proc/self/net/dev";

/// The loopback interface, which every network namespace has.
pub(crate) const LOOPBACK: &str = "lo";

/// Addresses far from everyone: a root server of DNS. Those reserved for documentation would do, if no router were set
/// up to know that they lead nowhere.
const OUTSIDE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)), IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30))];

/// Names of the interfaces in `/proc/self/net/dev`: two lines of heading, then one each.
pub(crate) fn interfaces(text: &str) -> Seen<Vec<String>> {
    let name = |line: &str| line.rsplit_once(':').map(|(name, _)| name.trim().to_owned());
    let names = text.lines().skip(2).map(name).collect::<Option<Vec<String>>>();
    names.ok_or_else(|| Unseen::strange("/proc/self/net/dev"))
}

/// The addresses that packets to the outside would carry as their sender's: none if no route leads out.
pub(crate) fn addresses_outward() -> Vec<IpAddr> {
    OUTSIDE.iter().filter_map(|outside| address_towards(*outside).ok()).collect()
}

fn address_towards(outside: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if outside.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((outside, 9))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::interfaces;

    #[test]
    fn names() {
        let check = |lines: &str, want: Option<&[&str]>| {
            let text = format!("Inter-|   Receive\n face |bytes\n{lines}");
            assert_eq!(interfaces(&text).ok(), want.map(|w| w.iter().map(ToString::to_string).collect()), "{lines:?}");
        };
        check("", Some(&[]));
        check("    lo:    3293      31\n  eth0: 4364 0\n", Some(&["lo", "eth0"]));
        check("eth0:1: 4364 0\n", Some(&["eth0:1"]));
        check("eth0 4364 0\n", None);
    }
}
