//! Bridges of other engines on this host. They protect what lives on them in `FORWARD` of `iptables`, by its policy if by
//! nothing else; our containers have to pass there on their way out, so that it would be us who lets them in.
//!
//! They go by their names: what other bridges lead to, such as the one that the host's own link is a port of, is none of our
//! business. Those that an engine has by default need not be there yet; another one that is made later is noticed when the
//! next container starts.

use crate::error::Result;
use crate::firewall::compile::FORWARD_OTHERS;
use crate::firewall::phrase;
use crate::link::Links;
use crate::nft::{Data, Element, Verdict};

/// The chain that decides about packets to them.
pub(super) const CHAIN: &str = "others";

/// Bridges that an engine has by default.
const DEFAULT: [&str; 6] = ["docker0", "docker_gwbridge", "podman0", "cni-podman0", "virbr0", "phial0"];

/// The bridges that engines have by default, and those in this network namespace that one has made. Our own may be among
/// them, about which others decide before.
pub(super) fn bridges() -> Result<Vec<String>> {
    let mut names = Links::open()?.bridges()?;
    names.retain(|name| is_of_engine(name));
    names.extend(DEFAULT.map(str::to_owned));
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Whether Docker, podman or libvirt would call a further bridge so.
fn is_of_engine(name: &str) -> bool {
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|letter| letter.is_ascii_digit()))
    };
    let is_id = |rest: &str| rest.len() == 12 && rest.bytes().all(|letter| letter.is_ascii_hexdigit());
    ["podman", "cni-podman", "virbr"].into_iter().any(numbered) || name.strip_prefix("br-").is_some_and(is_id)
}

/// The elements for them.
pub(super) fn elements(bridges: &[String]) -> Vec<Element> {
    let jump = || Data::Verdict(Verdict::Jump(CHAIN.to_owned()));
    bridges.iter().map(|name| Element::with_data(phrase::interface_name(name), jump())).collect()
}

/// The map that they belong to.
pub(super) const MAP: &str = FORWARD_OTHERS;

#[cfg(test)]
mod tests {
    use super::is_of_engine;

    #[test]
    fn engines_are_known_by_their_bridges() {
        for name in ["br-0123456789ab", "podman0", "podman12", "cni-podman1", "virbr0"] {
            assert!(is_of_engine(name), "{name}");
        }
        for name in
            ["br0", "br-lan", "br-ex", "podman", "podmanx", "docker1", "virbr", "br-0123456789abc", "br-0123456789ag"]
        {
            assert!(!is_of_engine(name), "{name}");
        }
    }
}
