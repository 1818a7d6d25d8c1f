//! Two containers of one engine on a network that was made for them. They only sleep: what is measured between them are
//! programs of this machine in their namespaces, the same for everybody.

use end_to_end::namespace::Namespace;
use end_to_end::{Context, Result};

use super::docker;
use crate::bench::peer::Peer;

/// The network, and the names of the two.
const NETWORK: &str = "pair";
pub(super) const SERVER: &str = "server";
const CLIENT: &str = "client";

/// Ports of the server, which are published.
pub(super) const BULK: u16 = 5201;
pub(super) const ECHO: u16 = 7000;

/// Where each of the two is.
pub(super) struct Pair {
    /// The engine.
    pub(super) name: &'static str,
    /// Network namespaces.
    pub(super) server: Namespace,
    pub(super) client: Namespace,
    /// The server's address on the network.
    pub(super) address: String,
    /// The first nameserver of the client.
    pub(super) nameserver: String,
    /// Ports of the host that lead to [`BULK`] and [`ECHO`].
    pub(super) bulk: u16,
    pub(super) echo: u16,
}

impl Pair {
    /// Starts both, with published ports from this one on.
    ///
    /// # Errors
    /// What the engine says.
    pub(super) fn start(peer: &dyn Peer, image: &str, ports: u16) -> Result<Pair> {
        docker(peer, &["network", "create", NETWORK])?;
        let (bulk, echo) = (ports, ports + 1);
        let run = |name: &str, flags: &[&str]| {
            let words = ["run", "-d", "--network", NETWORK, "--name", name];
            docker(peer, &[&words, flags, &[image, "sleep", "1000000"]].concat())
        };
        run(SERVER, &["-p", &format!("{bulk}:{BULK}"), "-p", &format!("{echo}:{ECHO}")])?;
        run(CLIENT, &[])?;
        let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        Ok(Pair {
            name: peer.name(),
            server: namespace(peer, SERVER)?,
            client: namespace(peer, CLIENT)?,
            address: docker(peer, &["inspect", "--format", address, SERVER])?,
            nameserver: nameserver(peer, CLIENT)?,
            bulk,
            echo,
        })
    }
}

/// The network namespace of a container.
///
/// # Errors
/// What the engine says.
pub(super) fn namespace(peer: &dyn Peer, name: &str) -> Result<Namespace> {
    let pid = docker(peer, &["inspect", "--format", "{{.State.Pid}}", name])?;
    Ok(Namespace::at(format!("/proc/{pid}/ns/net")))
}

/// The first nameserver of a container.
///
/// # Errors
/// It has none.
pub(super) fn nameserver(peer: &dyn Peer, name: &str) -> Result<String> {
    let text = docker(peer, &["exec", name, "cat", "/etc/resolv.conf"])?;
    let address = text.lines().find_map(|line| line.strip_prefix("nameserver "));
    address.map(|address| address.trim().to_owned()).context(format!("no nameserver of {name}"))
}
