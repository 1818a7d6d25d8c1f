//! What of the host a network depends on, and what the kernel has to be told of networks that are in use.

use std::path::Path;

use net::Network;
use net::address::Subnet;
use net::link::Links;
use store::{Digest, Paths};

use crate::config::Connection;
use crate::containers::lifecycle::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};

/// What of the host a new network depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Host {
    /// Subnets that it has addresses in or routes to.
    pub(super) subnets: Vec<Subnet>,
    /// Whether it has IPv6 at all.
    pub(super) ipv6: bool,
}

impl Host {
    /// Asks the kernel.
    ///
    /// # Errors
    /// `System` when it refuses.
    pub(super) fn read() -> Result<Host> {
        // The directory is not there with `ipv6.disable=1` and without the module.
        Ok(Host { subnets: Links::open()?.subnets_in_use()?, ipv6: Path::new("/proc/sys/net/ipv6").exists() })
    }
}

/// The 40 bits that are a store's own: they follow from the machine and the store's place (RFC 4193, 3.2.1).
pub(super) fn seed(paths: &Paths) -> [u8; 5] {
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    let text = [machine.as_slice(), b"\0", paths.root().as_os_str().as_encoded_bytes()].concat();
    let digest = Digest::of(&text).hex();
    std::array::from_fn(|at| u8::from_str_radix(&digest[2 * at..2 * at + 2], 16).expect("a digest is hexadecimal"))
}

impl Engine {
    /// Connects a running container.
    ///
    /// # Errors
    /// `Conflict` for addresses that are taken, `System` when the kernel refuses.
    #[expect(clippy::unused_self, reason = "it works with the store as soon as the kernel is asked")]
    pub(super) fn connect_live(&self, container: &Container, network: &Network, _: &Connection) -> Result<()> {
        Err(while_running(container, network))
    }

    /// Disconnects a running container.
    ///
    /// # Errors
    /// `System` when the kernel refuses.
    #[expect(clippy::unused_self, reason = "it works with the store as soon as the kernel is asked")]
    pub(super) fn disconnect_live(&self, container: &Container, network: &Network) -> Result<()> {
        Err(while_running(container, network))
    }

    /// Puts everything back that should be there: links, addresses, rules.
    ///
    /// # Errors
    /// `System` when the kernel refuses.
    pub fn reload_networks(&self) -> Result<()> {
        Err(Error::unsupported("networks are put back when a container starts, and not by a command of its own yet"))
    }

    /// Takes what the host has of a network on which nothing lives any more.
    ///
    /// # Errors
    /// `System` when the kernel refuses.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "it works as soon as the kernel is asked")]
    pub(super) fn unmake_network(&self, _: &Network) -> Result<()> {
        Ok(())
    }
}

fn while_running(container: &Container, network: &Network) -> Error {
    let (name, network) = (&container.record.name, &network.name);
    Error::unsupported(format!("container {name} is running: its connection to network {network} cannot be changed"))
        .with_hint(format!("stop it first: phial stop {name}"))
}
