//! Ports as `ps`, `port` and `inspect` show them: which of the host lead to which of a container. Pure.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use net::{Endpoint, Protocol, Published};

/// The ports of a container that something leads to, or that it exposes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ports {
    /// Where they are published.
    pub(crate) published: Vec<Published>,
    /// Those that are exposed and not published.
    pub(crate) exposed: BTreeSet<(u16, Protocol)>,
}

impl Ports {
    /// Those of the endpoints, and those of `exposed` (`80/tcp`, `8000-8010/udp`) that are not among them.
    pub(crate) fn new<'a>(
        endpoints: impl Iterator<Item = &'a Endpoint>,
        exposed: impl Iterator<Item = &'a str>,
    ) -> Ports {
        let mut published: Vec<Published> = endpoints.flat_map(|endpoint| endpoint.ports.iter().cloned()).collect();
        published.sort_by_key(|port| (port.port, port.host, port.host_port, port.protocol));
        published.dedup();
        let mut exposed: BTreeSet<(u16, Protocol)> = exposed.flat_map(each_port).collect();
        for port in &published {
            exposed.remove(&(port.port, port.protocol));
        }
        Ports { published, exposed }
    }

    /// As `ps` shows them: `0.0.0.0:8080->80/tcp, [::]:8080->80/tcp`. As docker, ports that are the same on both sides are
    /// shown as ranges and come first.
    pub(crate) fn text(&self) -> String {
        /// What leads to ports of the same number, if anything does; the protocol; first and last.
        type Range = (Option<IpAddr>, Protocol, u16, u16);
        let mut all: Vec<(u16, Option<IpAddr>, Protocol)> =
            self.exposed.iter().map(|(port, protocol)| (*port, None, *protocol)).collect();
        let (same, others): (Vec<&Published>, Vec<&Published>) =
            self.published.iter().partition(|published| published.host_port == published.port);
        all.extend(same.iter().map(|published| (published.port, Some(published.host), published.protocol)));
        all.sort_unstable();
        // Ranges that have ended, then those that may go on.
        let (mut ended, mut open): (Vec<Range>, Vec<Range>) = (Vec::new(), Vec::new());
        for (port, host, protocol) in all {
            match open.iter_mut().find(|range| (range.0, range.1) == (host, protocol)) {
                Some(range) if range.3.checked_add(1) == Some(port) => range.3 = port,
                Some(range) => ended.push(std::mem::replace(range, (host, protocol, port, port))),
                None => open.push((host, protocol, port, port)),
            }
        }
        let range = |(host, protocol, first, last): Range| {
            let ports = if first == last { first.to_string() } else { format!("{first}-{last}") };
            let host = match host {
                Some(IpAddr::V6(host)) => format!("[{host}]:{ports}->"),
                Some(host) => format!("{host}:{ports}->"),
                None => String::new(),
            };
            format!("{host}{ports}/{protocol}")
        };
        let other =
            |published: &Published| format!("{}->{}/{}", address(published), published.port, published.protocol);
        let ranges = ended.into_iter().chain(open).map(range);
        ranges.chain(others.into_iter().map(other)).collect::<Vec<_>>().join(", ")
    }
}

/// `0.0.0.0:8080`, `[::]:8080`.
pub(crate) fn address(published: &Published) -> String {
    SocketAddr::new(published.host, published.host_port).to_string()
}

/// The ports of `80/tcp` or `8000-8010/udp`; none of what is neither: images say what they like.
pub(crate) fn each_port(text: &str) -> impl Iterator<Item = (u16, Protocol)> + use<> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let parsed = (first.parse::<u16>(), last.parse::<u16>(), Protocol::from_name(&protocol.to_ascii_lowercase()));
    let all = match parsed {
        (Ok(first), Ok(last), Some(protocol)) => Some((first..=last, protocol)),
        _ => None,
    };
    all.into_iter().flat_map(|(range, protocol)| range.map(move |port| (port, protocol)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(text: &str) -> Published {
        let (outside, inside) = text.split_once("->").expect("is one");
        let outside: SocketAddr = outside.parse().expect("is an address");
        let (port, protocol) = each_port(inside).next().expect("is a port");
        Published { protocol, host: outside.ip(), host_port: outside.port(), port }
    }

    fn check(all: &[&str], exposed: &[&str], expected: &str) {
        let endpoint = Endpoint {
            container: String::new(),
            id: String::new(),
            names: Vec::new(),
            link: String::new(),
            mac: net::address::Mac([0; 6]),
            ipv4: None,
            ipv6: None,
            ports: all.iter().map(|text| published(text)).collect(),
        };
        let ports = Ports::new([&endpoint].into_iter(), exposed.iter().copied());
        assert_eq!(ports.text(), expected, "{all:?} {exposed:?}");
    }

    #[test]
    fn as_docker_shows_them() {
        check(&[], &[], "");
        check(&[], &["80/tcp", "443", "nonsense", "53/udp"], "80/tcp, 53/udp, 443/tcp");
        check(
            &["[::]:8080->80/tcp", "0.0.0.0:8080->80/tcp"],
            &["80/tcp", "81/tcp"],
            "81/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
        );
        check(
            &["0.0.0.0:80->80/tcp", "0.0.0.0:81->81/tcp", "[::]:80->80/tcp", "[::]:81->81/tcp"],
            &[],
            "0.0.0.0:80-81->80-81/tcp, [::]:80-81->80-81/tcp",
        );
        check(&[], &["8000-8002/tcp", "8004/tcp"], "8000-8002/tcp, 8004/tcp");
        check(&["127.0.0.1:53->53/udp"], &["53/tcp"], "53/tcp, 127.0.0.1:53->53/udp");
        check(&["0.0.0.0:65535->65535/tcp"], &["65534/tcp"], "65534/tcp, 0.0.0.0:65535->65535/tcp");
    }
}
