//! `--hostname`, `--domainname`, `--add-host`, `--dns`, `--dns-search`, `--dns-option`, `--expose`: what a container
//! and others are called.

use std::fmt::{self, Display};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Parses `--hostname`: what RFC 1123 calls a name, at most 63 characters (sethostname(2) takes 64).
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_hostname(text: &str) -> Result<String> {
    if text.len() <= 63 && is_name(text) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("--hostname {text}: not a host name"))
        .with_hint("use letters, digits, '-' and '.', at most 63 characters"))
}

/// Parses `--domainname`, the name of NIS (setdomainname(2) takes 64 bytes).
///
/// # Errors
/// `Invalid` for a longer one, and for control characters.
pub fn parse_domainname(text: &str) -> Result<String> {
    if !text.is_empty() && text.len() <= 64 && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("--domainname {text:?}: not a name of 1 to 64 characters")))
}

pub(super) fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.split('.').all(label)
}

/// One value of `--add-host`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// Its address.
    pub address: HostAddress,
}

/// An address of `--add-host`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HostAddress {
    /// This one.
    Is(IpAddr),
    /// That of the host, as the container sees it.
    Gateway(Gateway),
}

/// The word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gateway {
    /// `host-gateway`.
    #[serde(rename = "host-gateway")]
    OfHost,
}

impl Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostAddress::Is(address) => write!(f, "{address}"),
            HostAddress::Gateway(Gateway::OfHost) => f.write_str("host-gateway"),
        }
    }
}

impl ExtraHost {
    /// Parses `NAME:ADDRESS` or `NAME=ADDRESS`; an address of IPv6 may be in brackets.
    ///
    /// # Errors
    /// `Invalid` for what is no name or no address.
    pub fn parse(text: &str) -> Result<ExtraHost> {
        let invalid = |why: String| Error::invalid(format!("--add-host {text}: {why}"));
        let (name, address) = text
            .split_once(['=', ':'])
            .ok_or_else(|| invalid("no address".to_owned()).with_hint("give NAME:ADDRESS, such as db:10.0.0.5"))?;
        if !is_name(name) {
            return Err(invalid(format!("'{name}' is not a host name")));
        }
        if address == "host-gateway" {
            return Ok(ExtraHost { name: name.to_owned(), address: HostAddress::Gateway(Gateway::OfHost) });
        }
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
        let address = bare.parse().map_err(|_| invalid(format!("'{address}' is not an address")))?;
        Ok(ExtraHost { name: name.to_owned(), address: HostAddress::Is(address) })
    }

    /// As `inspect` has it.
    pub fn text(&self) -> String {
        format!("{}:{}", self.name, self.address)
    }
}

/// Who answers a container's questions about names: its `/etc/resolv.conf`. What is empty is the host's, for a container
/// in the host's network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// `--dns`.
    pub servers: Vec<IpAddr>,
    /// `--dns-search`; one `.` is none.
    pub search: Vec<String>,
    /// `--dns-option`.
    pub options: Vec<String>,
}

impl Dns {
    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        *self == Dns::default()
    }
}

/// Parses `--dns`.
///
/// # Errors
/// `Invalid` for what is not an address.
pub fn parse_dns(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| Error::invalid(format!("--dns {text}: not an IP address")))
}

/// Parses `--dns-search`: a domain, or `.` for none at all.
///
/// # Errors
/// `Invalid` for what is no domain.
pub fn parse_dns_search(text: &str) -> Result<String> {
    if text == "." || is_name(text.strip_suffix('.').unwrap_or(text)) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("--dns-search {text}: not a domain")))
}

/// Parses `--dns-option`, such as `ndots:2` (resolv.conf(5)).
///
/// # Errors
/// `Invalid` for an empty one, and one with white space.
pub fn parse_dns_option(text: &str) -> Result<String> {
    if text.is_empty() || text.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return Err(Error::invalid(format!("--dns-option {text:?}: not an option of resolv.conf(5)")));
    }
    Ok(text.to_owned())
}

/// Parses `--expose PORT[-PORT][/PROTOCOL]` into `port/protocol`, one for each.
///
/// # Errors
/// `Invalid` for what is no port, and a range that runs backwards.
pub fn parse_expose(text: &str) -> Result<Vec<String>> {
    let invalid = |why: &str| Error::invalid(format!("--expose {text}: {why}"));
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if !matches!(protocol, "tcp" | "udp" | "sctp") {
        return Err(invalid("the protocol is none of tcp, udp and sctp"));
    }
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| invalid("not a port"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(invalid("the range runs backwards"));
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        let long = "a".repeat(64);
        for text in ["vessel", "a.b-c.example", "under_score", &long[..63]] {
            assert_eq!(parse_hostname(text).ok().as_deref(), Some(text));
        }
        for text in ["", "-a", "a-", "a..b", "a b", "a/b", &long] {
            assert!(parse_hostname(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts() {
        let cases = [
            ("db:10.0.0.5", Some("db:10.0.0.5")),
            ("db=10.0.0.5", Some("db:10.0.0.5")),
            ("six:::1", Some("six:::1")),
            ("six=[::1]", Some("six:::1")),
            ("db", None),
            ("db:", None),
            ("db:300.1.1.1", None),
            (":10.0.0.5", None),
            ("a b:10.0.0.5", None),
            ("gw:host-gateway", Some("gw:host-gateway")),
        ];
        for (text, expected) in cases {
            assert_eq!(ExtraHost::parse(text).ok().map(|host| host.text()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn dns() {
        assert!(parse_dns("9.9.9.9").is_ok() && parse_dns("::1").is_ok() && parse_dns("dns.example").is_err());
        assert!(parse_dns_search(".").is_ok() && parse_dns_search("example.org.").is_ok());
        assert!(parse_dns_search("a b").is_err() && parse_dns_search("").is_err());
        assert!(parse_dns_option("ndots:2").is_ok() && parse_dns_option("a\nnameserver 1.1.1.1").is_err());
        assert!(parse_domainname("example").is_ok() && parse_domainname("").is_err());
    }

    #[test]
    fn exposed_ports() {
        let cases = [
            ("80", Some(vec!["80/tcp"])),
            ("53/udp", Some(vec!["53/udp"])),
            ("8-10", Some(vec!["8/tcp", "9/tcp", "10/tcp"])),
            ("10-8", None),
            ("0", None),
            ("65536", None),
            ("80/icmp", None),
            ("web", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|ports| ports.into_iter().map(str::to_owned).collect());
            assert_eq!(parse_expose(text).ok(), expected, "{text}");
        }
    }
}
