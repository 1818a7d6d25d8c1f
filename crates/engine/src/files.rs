//! The three files below /etc that a container gets from its engine. Their content is computed here, purely; they are
//! written into the container's own directory and bind mounted, so that no path of the image is ever written through.

use crate::config::Network;

/// What `/etc/hosts` says in a container without a network, before the container's own name.
const LOCALHOST: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::\tip6-localnet\n\
    ff00::\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

/// Names and contents of the files. `host` reads a file of the host, for a container in the host's network.
pub(crate) fn contents(
    network: &Network,
    hostname: &str,
    host: impl Fn(&str) -> Vec<u8>,
) -> [(&'static str, Vec<u8>); 3] {
    let (hosts, resolv_conf) = match network {
        // Programs look their own host's name up, so it has to lead to the only interface there is.
        Network::None | Network::Container(_) => {
            (format!("{LOCALHOST}127.0.0.1\t{hostname}\n").into_bytes(), Vec::new())
        }
        Network::Host => (host("/etc/hosts"), host("/etc/resolv.conf")),
    };
    [("hostname", format!("{hostname}\n").into_bytes()), ("hosts", hosts), ("resolv.conf", resolv_conf)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_in_the_hosts_network_has_the_hosts_names() {
        let host = |path: &str| path.as_bytes().to_vec();
        let [hostname, hosts, resolv_conf] = contents(&Network::Host, "box", host).map(|(_, content)| content);
        assert_eq!((hostname, hosts, resolv_conf), (b"box\n".to_vec(), host("/etc/hosts"), host("/etc/resolv.conf")));
        let [_, hosts, resolv_conf] = contents(&Network::None, "box", host).map(|(_, content)| content);
        assert!(hosts.starts_with(b"127.0.0.1\tlocalhost\n") && hosts.ends_with(b"\n127.0.0.1\tbox\n"));
        assert!(resolv_conf.is_empty());
    }
}
