//! `--publish`: which ports of the host lead to which of a container. Pure.

use std::fmt::{self, Display};
use std::net::IpAddr;

use net::Protocol;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One value of `-p`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMapping {
    /// The host's address; None is where the network says, which is all of them as a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<IpAddr>,
    /// First and last port of the host: as many as the container's, or a choice of them for its only one. None: any that
    /// is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ports: Option<(u16, u16)>,
    /// First and last port of the container.
    pub ports: (u16, u16),
    /// Which transport.
    pub protocol: Protocol,
}

impl PortMapping {
    /// Parses `[[ADDRESS:][HOST_PORT[-LAST]]:]PORT[-LAST][/PROTOCOL]`; an address of IPv6 may be in brackets.
    ///
    /// # Errors
    /// `Invalid` for what is no address, no port or no protocol, and for ranges that do not fit together.
    pub fn parse(text: &str) -> Result<PortMapping> {
        let invalid = |why: String| {
            Error::invalid(format!("--publish {text}: {why}"))
                .with_hint("give [ADDRESS:][HOST_PORT]:PORT[/PROTOCOL], such as 8080:80 or 127.0.0.1:53:53/udp")
        };
        let (place, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = Protocol::from_name(&protocol.to_ascii_lowercase())
            .ok_or_else(|| invalid(format!("'{protocol}' is none of tcp, udp and sctp")))?;
        let (before, inner) = place.rsplit_once(':').map_or((None, place), |(before, inner)| (Some(before), inner));
        if inner.is_empty() {
            return Err(invalid("the container's port is missing".to_owned()));
        }
        let ports = range(inner).ok_or_else(|| invalid(format!("'{inner}' is no port of a container")))?;
        let (host, outer) = match before {
            None => (None, ""),
            Some(before) => before.rsplit_once(':').map_or((None, before), |(host, outer)| (Some(host), outer)),
        };
        let host = host.filter(|host| !host.is_empty());
        let host =
            host.map(|host| address(host).ok_or_else(|| invalid(format!("'{host}' is no address")))).transpose()?;
        let host_ports = match outer {
            "" | "0" => None,
            outer => Some(range(outer).ok_or_else(|| invalid(format!("'{outer}' is no port of the host")))?),
        };
        match host_ports {
            // One port of the container can have any of several of the host.
            Some((first, last)) if last - first != ports.1 - ports.0 && ports.0 != ports.1 => {
                let (outside, inside) = (last - first + 1, ports.1 - ports.0 + 1);
                Err(invalid(format!("{outside} ports of the host for {inside} of the container")))
            }
            _ => Ok(PortMapping { host, host_ports, ports, protocol }),
        }
    }

    /// The container's ports, one by one.
    pub fn container_ports(&self) -> impl Iterator<Item = u16> + use<> {
        self.ports.0..=self.ports.1
    }

    /// The ports of the host that one of the container's can have, first and last; None: any that is free.
    pub fn host_ports_of(&self, port: u16) -> Option<(u16, u16)> {
        let (first, last) = self.host_ports?;
        if self.ports.0 == self.ports.1 {
            return Some((first, last));
        }
        let one = first.checked_add(port.checked_sub(self.ports.0)?)?;
        Some((one, one))
    }
}

impl Display for PortMapping {
    /// As `-p` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Some(host @ IpAddr::V6(_)) => write!(f, "[{host}]:")?,
            Some(host) => write!(f, "{host}:")?,
            None => {}
        }
        match self.host_ports {
            Some(ports) => write!(f, "{}:", shown(ports))?,
            None if self.host.is_some() => f.write_str(":")?,
            None => {}
        }
        write!(f, "{}/{}", shown(self.ports), self.protocol)
    }
}

/// A port, or a range of them; 0 is none.
fn range(text: &str) -> Option<(u16, u16)> {
    // `parse` would take a sign.
    let port = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| is_number && *port > 0)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some((first, last))
}

fn address(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

fn shown((first, last): (u16, u16)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text means, written whole; or a part of what is said about it.
    fn check(text: &str, expected: std::result::Result<&str, &str>) {
        match (PortMapping::parse(text), expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found.to_string(), expected, "{text}");
                assert_eq!(PortMapping::parse(expected).expect(expected), found);
            }
            (Err(error), Err(named)) => assert!(error.to_string().contains(named), "{text}: {error}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn every_form() {
        check("80", Ok("80/tcp"));
        check("8080:80", Ok("8080:80/tcp"));
        check("8080:80/UDP", Ok("8080:80/udp"));
        check(":80", Ok("80/tcp"));
        check("0:80", Ok("80/tcp"));
        check("127.0.0.1:8080:80", Ok("127.0.0.1:8080:80/tcp"));
        check("127.0.0.1::80/sctp", Ok("127.0.0.1::80/sctp"));
        check("[::1]:8080:80", Ok("[::1]:8080:80/tcp"));
        check("::1:8080:80", Ok("[::1]:8080:80/tcp"));
        check("[::]::80", Ok("[::]::80/tcp"));
        check("8000-8002:80-82", Ok("8000-8002:80-82/tcp"));
        check("8000-8002:80", Ok("8000-8002:80/tcp"));
        check("80-82", Ok("80-82/tcp"));
    }

    #[test]
    fn what_is_none_is_refused() {
        check("", Err("the container's port is missing"));
        check("80:", Err("the container's port is missing"));
        check("80:x", Err("'x' is no port of a container"));
        check("x:80", Err("'x' is no port of the host"));
        check("80:0", Err("'0' is no port of a container"));
        check("80:65536", Err("'65536'"));
        check("80:+1", Err("'+1'"));
        check("82-80", Err("'82-80'"));
        check("localhost:80:80", Err("'localhost' is no address"));
        check("[127.0.0.1]:80:80", Err("is no address"));
        check("[::1:80:80", Err("is no address"));
        check("80:80/icmp", Err("'icmp' is none of tcp, udp and sctp"));
        check("8000-8001:80-82", Err("2 ports of the host for 3 of the container"));
        check("8000:80-82", Err("1 ports of the host for 3 of the container"));
    }

    #[test]
    fn ports_of_the_host_for_each_of_the_container() {
        let of = |text: &str, port| PortMapping::parse(text).expect(text).host_ports_of(port);
        assert_eq!(of("8000-8002:80-82", 81), Some((8001, 8001)));
        assert_eq!(of("8000-8002:80", 80), Some((8000, 8002)));
        assert_eq!(of("80-82", 81), None);
    }
}
