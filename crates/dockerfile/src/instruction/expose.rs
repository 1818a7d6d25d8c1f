//! `EXPOSE`: ports as an image names them.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::error::{Error, Result};

/// What one word of `EXPOSE` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// All ports, from one to another.
    pub ports: RangeInclusive<u16>,
    /// `tcp`, `udp` or `sctp`, as it is written.
    pub protocol: String,
    /// Whether it also says where on the host, which means nothing here.
    pub is_mapping: bool,
}

impl Exposed {
    /// Reads a word of which variables were replaced: `[ip:][port:]port[-port][/protocol]`.
    ///
    /// # Errors
    /// `Syntax` for what names no port.
    pub fn parse(text: &str) -> Result<Exposed> {
        let wrong = |why: String| {
            Error::syntax(format!("EXPOSE {text}: {why}"))
                .with_hint("write a port from 1 to 65535 or two with '-', and /tcp, /udp or /sctp")
                .at_word(text)
        };
        let (host, port) = text.rsplit_once(':').map_or((None, text), |(host, port)| (Some(host), port));
        let (port, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        if !["tcp", "udp", "sctp"].contains(&protocol.to_ascii_lowercase().as_str()) {
            return Err(wrong(format!("there is no protocol {protocol:?}")));
        }
        let ports = range(port).ok_or_else(|| wrong(format!("{port:?} is no port")))?;
        if let Some(host) = host {
            let (address, published) = host.rsplit_once(':').map_or((None, host), |(ip, port)| (Some(ip), port));
            let address = address.map(|address| address.trim_matches(['[', ']']));
            if address.is_some_and(|address| address.parse::<IpAddr>().is_err()) {
                return Err(wrong(format!("{:?} is no address", address.unwrap_or_default())));
            }
            if !published.is_empty() && range(published).is_none() {
                return Err(wrong(format!("{published:?} is no port")));
            }
        }
        Ok(Exposed { ports, protocol: protocol.to_owned(), is_mapping: host.is_some() })
    }

    /// Each port as an image has it: `80/tcp`.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        let protocol = self.protocol.to_ascii_lowercase();
        self.ports.clone().map(move |port| format!("{port}/{protocol}"))
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| is_number && *port > 0)
    };
    let range = port(first)?..=port(last)?;
    (!range.is_empty()).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::Exposed;

    #[test]
    fn ports() {
        let cases: [(&str, Option<&[&str]>); 16] = [
            ("80", Some(&["80/tcp"])),
            ("53/UDP", Some(&["53/udp"])),
            ("8000-8002/sctp", Some(&["8000/sctp", "8001/sctp", "8002/sctp"])),
            ("8080:80", Some(&["80/tcp"])),
            ("127.0.0.1:8080:80", Some(&["80/tcp"])),
            ("[::1]:8080:80", Some(&["80/tcp"])),
            ("127.0.0.1::80", Some(&["80/tcp"])),
            ("0", None),
            ("+80", None),
            ("65536", None),
            ("9-8", None),
            ("80/icmp", None),
            ("a:80", None),
            ("a:1:80", None),
            ("", None),
            ("80-", None),
        ];
        for (text, expected) in cases {
            let names = Exposed::parse(text).ok().map(|exposed| exposed.names().collect::<Vec<_>>());
            let expected = expected.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(names, expected, "{text}");
        }
        assert!(Exposed::parse("8080:80").expect("it is one").is_mapping);
        assert!(!Exposed::parse("80").expect("it is one").is_mapping);
    }
}
