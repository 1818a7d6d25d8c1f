//! What of the host a network depends on, and what the kernel has to be told of networks that are in use.

use std::path::Path;

use net::address::Subnet;
use net::link::Links;
use store::{Digest, Paths};

use crate::engine::Engine;
use crate::error::{Context, Result};

/// The right to choose subnets on this host, which nobody else has as long as this value lives. Several stores know nothing
/// of one another but what the kernel tells them; so the kernel's own file of the network is what they lock.
#[derive(Debug)]
pub(super) struct Choice(#[expect(dead_code, reason = "held for its lock")] std::fs::File);

impl Choice {
    /// Waits until nobody else has it.
    ///
    /// # Errors
    /// `System` when the file cannot be opened.
    pub(super) fn take() -> Result<Choice> {
        const NETWORK: &str = "/proc/self/ns/net";
        let file = std::fs::File::open(NETWORK).context(|| NETWORK)?;
        file.lock().context(|| NETWORK)?;
        Ok(Choice(file))
    }
}

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
    /// Puts back everything that should be on this host: bridges, their addresses, and the firewall.
    ///
    /// # Errors
    /// `System` when the kernel refuses.
    pub fn reload_networks(&self) -> Result<()> {
        Ok(self.realm()?.reload()?)
    }
}
