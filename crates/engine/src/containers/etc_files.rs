//! The three files below /etc that a container gets from its engine. Their content is computed here, purely; they are
//! written into the container's own directory and bind mounted, so that no path of the image is ever written through.

use crate::config::{ContainerConfig, Network};

/// What `/etc/hosts` says in a container without a network, before the container's own name.
const LOCALHOST: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\n\
    ff00::\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

/// Names and contents of the files. `host` reads a file of the host, for a container in the host's network.
pub(crate) fn contents(
    config: &ContainerConfig,
    hostname: &str,
    host: impl Fn(&str) -> Vec<u8>,
) -> [(&'static str, Vec<u8>); 3] {
    let is_host = config.network == Network::Host;
    let mut hosts = if is_host { host("/etc/hosts") } else { LOCALHOST.as_bytes().to_vec() };
    if !hosts.is_empty() && !hosts.ends_with(b"\n") {
        hosts.push(b'\n');
    }
    for extra in &config.extra_hosts {
        hosts.extend_from_slice(format!("{}\t{}\n", extra.address, extra.name).as_bytes());
    }
    if !is_host {
        // Programs look their own host's name up, so it has to lead to the only interface there is.
        let domain = config.domainname.as_deref().map(|domain| format!("{hostname}.{domain} ")).unwrap_or_default();
        hosts.extend_from_slice(format!("127.0.0.1\t{domain}{hostname}\n").as_bytes());
    }
    let resolver = if is_host { host("/etc/resolv.conf") } else { Vec::new() };
    let resolver = if config.dns.is_empty() { resolver } else { resolv_conf(config, &resolver) };
    [("hostname", format!("{hostname}\n").into_bytes()), ("hosts", hosts), ("resolv.conf", resolver)]
}

/// `resolv.conf(5)` with what was asked for; lines of a kind that nobody asked for are those of `below`.
fn resolv_conf(config: &ContainerConfig, below: &[u8]) -> Vec<u8> {
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
    let servers = if dns.servers.is_empty() { lines("nameserver") } else { servers };
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
        let [hostname, hosts, resolv_conf] = contents(&config, "box", host).map(|(_, content)| content);
        assert_eq!((hostname, hosts, resolv_conf), (b"box\n".to_vec(), host("/etc/hosts"), host("/etc/resolv.conf")));
        let [_, hosts, resolv_conf] = contents(&ContainerConfig::default(), "box", host).map(|(_, content)| content);
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
        let [_, (_, hosts), _] = contents(&config, "box", |_| Vec::new());
        let hosts = String::from_utf8(hosts).expect("is text");
        assert!(hosts.contains("10.0.0.5\tdb\n") && hosts.ends_with("127.0.0.1\tbox.example box\n"), "{hosts}");
    }

    #[test]
    fn what_resolves_names() {
        let host = |_: &str| b"nameserver 9.9.9.9\nsearch home\noptions rotate\n".to_vec();
        let check = |change: fn(&mut Dns), expected: &str| {
            let mut config = ContainerConfig { network: Network::Host, ..ContainerConfig::default() };
            change(&mut config.dns);
            let [_, _, (_, content)] = contents(&config, "box", host);
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
