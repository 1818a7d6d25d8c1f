//! The three files below /etc that a container gets from its engine. Their content is computed here, purely; they are
//! written into the container's own directory and bind mounted, so that no path of the image is ever written through.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::create::readable;
use crate::config::{ContainerConfig, HostAddress, Network};
use crate::error::Result;

/// What is known of a container's networks: nothing before it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Its own addresses.
    pub(crate) addresses: Vec<IpAddr>,
    /// Addresses of the host that it reaches (`host-gateway`).
    pub(crate) gateways: Vec<IpAddr>,
    /// Addresses of containers that it is linked to, and their names.
    pub(crate) linked: Vec<(IpAddr, String)>,
    /// Whether somebody of ours answers names in it.
    pub(crate) answered: bool,
}

/// What `/etc/hosts` says in a container without a network, before the container's own name.
const LOCALHOST: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\n\
    ff00::\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

/// Writes the files into a container's bundle. In one that runs they are mounted, so they stay the files that they are.
pub(crate) fn write(bundle: &Path, config: &ContainerConfig, hostname: &str, names: &Names) -> Result<()> {
    let of_host = |path: &str| fs::read(path).unwrap_or_default();
    for (name, content) in contents(config, hostname, names, of_host) {
        readable(&bundle.join(name), |path| fs::write(path, content), 0o644)?;
    }
    Ok(())
}

/// Names and contents of the files. `host` reads a file of the host.
fn contents(
    config: &ContainerConfig,
    hostname: &str,
    names: &Names,
    host: impl Fn(&str) -> Vec<u8>,
) -> [(&'static str, Vec<u8>); 3] {
    let is_host = config.network == Network::Host;
    let mut hosts = if is_host { host("/etc/hosts") } else { LOCALHOST.as_bytes().to_vec() };
    if !hosts.is_empty() && !hosts.ends_with(b"\n") {
        hosts.push(b'\n');
    }
    let mut add = |address: &IpAddr, name: &str| hosts.extend_from_slice(format!("{address}\t{name}\n").as_bytes());
    for extra in &config.extra_hosts {
        match &extra.address {
            HostAddress::Is(address) => add(address, &extra.name),
            HostAddress::Gateway(_) if is_host => add(&IpAddr::V4(Ipv4Addr::LOCALHOST), &extra.name),
            HostAddress::Gateway(_) => names.gateways.iter().for_each(|address| add(address, &extra.name)),
        }
    }
    for (address, name) in &names.linked {
        add(address, name);
    }
    if !is_host {
        // Programs look their own host's name up: without an address, it has to lead to the only interface there is.
        let domain = config.domainname.as_deref().map(|domain| format!("{hostname}.{domain} ")).unwrap_or_default();
        let own = format!("{domain}{hostname}");
        match names.addresses.as_slice() {
            [] => add(&IpAddr::V4(Ipv4Addr::LOCALHOST), &own),
            addresses => addresses.iter().for_each(|address| add(address, &own)),
        }
    }
    let resolver = match &config.network {
        Network::Host => host("/etc/resolv.conf"),
        Network::Own(_) => of_network(config, names, &host("/etc/resolv.conf")),
        Network::None | Network::Container(_) => Vec::new(),
    };
    let resolver = if config.dns.is_empty() { resolver } else { resolv_conf(config, names, &resolver) };
    [("hostname", format!("{hostname}\n").into_bytes()), ("hosts", hosts), ("resolv.conf", resolver)]
}

/// The servers of the host's `resolv.conf(5)`.
pub(crate) fn host_resolvers() -> Vec<IpAddr> {
    let text = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        // One with the name of an interface behind it is a link-local one, which nobody else can reach.
        (words.next() == Some("nameserver")).then(|| words.next()?.parse().ok()).flatten()
    });
    servers.collect()
}

/// What the host says, for a container that is not in its network: the servers at its loopback interface are not the
/// container's. Where names are answered, one server knows all of them.
fn of_network(config: &ContainerConfig, names: &Names, host: &[u8]) -> Vec<u8> {
    let host = String::from_utf8_lossy(host);
    let mut lines = String::new();
    if names.answered {
        lines = format!("nameserver {}\n", net::NAME_SERVER.ip());
    }
    for line in host.lines() {
        let mut words = line.split_whitespace();
        let is_kept = match words.next() {
            Some("nameserver") => {
                let is_local = |server: &str| server.parse::<IpAddr>().is_ok_and(|server| server.is_loopback());
                !names.answered && words.next().is_some_and(|server| !is_local(server))
            }
            Some("search" | "domain") => true,
            Some("options") => !names.answered || !config.dns.options.is_empty(),
            _ => false,
        };
        if is_kept {
            lines.extend([line, "\n"]);
        }
    }
    // A name without a dot is one of the network first (resolv.conf(5), `ndots`).
    if names.answered && config.dns.options.is_empty() {
        lines.push_str("options edns0 trust-ad ndots:0\n");
    }
    lines.into_bytes()
}

/// `resolv.conf(5)` with what was asked for; lines of a kind that nobody asked for are those of `below`.
fn resolv_conf(config: &ContainerConfig, names: &Names, below: &[u8]) -> Vec<u8> {
    let dns = &config.dns;
    let below = String::from_utf8_lossy(below);
    let lines = |keyword: &str| -> String {
        let is_it = |line: &&str| line.split_whitespace().next() == Some(keyword);
        below.lines().filter(is_it).flat_map(|line| [line, "\n"]).collect()
    };
    let servers: Vec<String> = dns.servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    let servers = servers.concat();
    let search = match dns.search.as_slice() {
        [] => lines("search"),
        // A single dot says that there is none.
        domains if domains.iter().all(|domain| domain == ".") => String::new(),
        domains => format!("search {}\n", domains.join(" ")),
    };
    let options = match dns.options.as_slice() {
        [] => lines("options"),
        options => format!("options {}\n", options.join(" ")),
    };
    // Where names are answered, it is our server that asks them.
    let servers = if dns.servers.is_empty() || names.answered { lines("nameserver") } else { servers };
    format!("{servers}{search}{options}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Dns, ExtraHost};

    #[test]
    fn a_container_in_the_hosts_network_has_the_hosts_names() {
        let host = |path: &str| format!("{path}\n").into_bytes();
        let config = ContainerConfig { network: Network::Host, ..ContainerConfig::default() };
        let [hostname, hosts, resolv_conf] =
            contents(&config, "box", &Names::default(), host).map(|(_, content)| content);
        assert_eq!((hostname, hosts, resolv_conf), (b"box\n".to_vec(), host("/etc/hosts"), host("/etc/resolv.conf")));
        let none = ContainerConfig { network: Network::None, ..ContainerConfig::default() };
        let [_, hosts, resolv_conf] = contents(&none, "box", &Names::default(), host).map(|(_, content)| content);
        assert!(hosts.starts_with(b"127.0.0.1\tlocalhost\n") && hosts.ends_with(b"\n127.0.0.1\tbox\n"));
        assert!(resolv_conf.is_empty());
    }

    #[test]
    fn names_that_were_asked_for() {
        let config = ContainerConfig {
            extra_hosts: vec![ExtraHost::parse("db:10.0.0.5").expect("is one")],
            domainname: Some("example".to_owned()),
            ..ContainerConfig::default()
        };
        let [_, (_, hosts), _] = contents(&config, "box", &Names::default(), |_| Vec::new());
        let hosts = String::from_utf8(hosts).expect("is text");
        assert!(hosts.contains("10.0.0.5\tdb\n") && hosts.ends_with("127.0.0.1\tbox.example box\n"), "{hosts}");
    }

    #[test]
    fn a_container_on_networks() {
        let host = |path: &str| match path {
            "/etc/resolv.conf" => b"nameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch home\noptions rotate\n".to_vec(),
            _ => Vec::new(),
        };
        let names = Names {
            addresses: vec!["10.0.0.2".parse().expect("is one"), "fd00::2".parse().expect("is one")],
            gateways: vec!["10.0.0.1".parse().expect("is one")],
            linked: vec![("10.0.0.3".parse().expect("is one"), "db web".to_owned())],
            answered: false,
        };
        let config = ContainerConfig {
            extra_hosts: vec![ExtraHost::parse("gw:host-gateway").expect("is one")],
            ..ContainerConfig::default()
        };
        let [_, hosts, resolv_conf] =
            contents(&config, "box", &names, host).map(|(_, content)| String::from_utf8(content).expect("is text"));
        assert!(hosts.ends_with("10.0.0.1\tgw\n10.0.0.3\tdb web\n10.0.0.2\tbox\nfd00::2\tbox\n"), "{hosts}");
        assert_eq!(resolv_conf, "nameserver 9.9.9.9\nsearch home\noptions rotate\n");
        let answered = Names { answered: true, ..names };
        let check = |dns: &Dns, expected: &str| {
            let config = ContainerConfig { dns: dns.clone(), ..ContainerConfig::default() };
            let [_, _, (_, content)] = contents(&config, "box", &answered, host);
            assert_eq!(String::from_utf8_lossy(&content), expected);
        };
        check(&Dns::default(), "nameserver 127.0.0.11\nsearch home\noptions edns0 trust-ad ndots:0\n");
        let dns = Dns {
            servers: vec!["1.1.1.1".parse().expect("is one")],
            search: vec!["a".to_owned()],
            options: vec!["ndots:2".to_owned()],
        };
        check(&dns, "nameserver 127.0.0.11\nsearch a\noptions ndots:2\n");
    }

    #[test]
    fn what_resolves_names() {
        let host = |_: &str| b"nameserver 9.9.9.9\nsearch home\noptions rotate\n".to_vec();
        let check = |change: fn(&mut Dns), expected: &str| {
            let mut config = ContainerConfig { network: Network::Host, ..ContainerConfig::default() };
            change(&mut config.dns);
            let [_, _, (_, content)] = contents(&config, "box", &Names::default(), host);
            assert_eq!(String::from_utf8_lossy(&content), expected);
        };
        check(|_| {}, "nameserver 9.9.9.9\nsearch home\noptions rotate\n");
        check(
            |dns| dns.servers = vec!["1.1.1.1".parse().expect("is one")],
            "nameserver 1.1.1.1\nsearch home\noptions rotate\n",
        );
        check(|dns| dns.search = vec![".".to_owned()], "nameserver 9.9.9.9\noptions rotate\n");
        check(
            |dns| (dns.search, dns.options) = (vec!["a".to_owned(), "b".to_owned()], vec!["ndots:2".to_owned()]),
            "nameserver 9.9.9.9\nsearch a b\noptions ndots:2\n",
        );
    }
}
