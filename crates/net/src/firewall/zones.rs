//! firewalld, if it rules this host by nftables. Its chain for packets on their way through is behind ours and rejects what comes
//! from a link that is in no zone of its own; what our chain says about these does not count there, and the chain is firewalld's
//! alone to change. So bridges are put into its zone `trusted`, which lets pass what ours has let pass before.
//!
//! It is asked for that by its own program, once per bridge: for now, and for good, or it would forget it when it reloads.
//! Whether it is needed shows in the kernel.

use std::process::{Command, Stdio};

use crate::error::Result;
use crate::firewall::program;
use crate::network::Network;
use crate::nft::{self, Expression, Family, MetaKey, Scope, Socket};

const SCOPE: Scope<'static> = Scope { family: Family::Inet, table: "firewalld" };
/// Where it looks for the zone of the link that a packet came from.
const ZONES: &str = "filter_FORWARD_ZONES";

/// Puts the bridges of these networks into the zone. That firewalld does not answer keeps no container from starting: it is
/// about to end, or to begin anew.
pub(super) fn trust(socket: &mut Socket, networks: &[&Network]) -> Result<()> {
    for network in missing(socket, networks)? {
        ask("--add-interface", &network.link);
    }
    Ok(())
}

/// Whether they are in a zone.
pub(super) fn are_trusted(socket: &mut Socket, networks: &[&Network]) -> Result<bool> {
    Ok(missing(socket, networks)?.is_empty())
}

/// Takes the bridge of a network out of it.
pub(super) fn forget(network: &Network) -> Result<()> {
    let Ok(mut socket) = Socket::open() else { return Ok(()) };
    if network.is_bridge() && rules(&mut socket)?.is_some() && missing(&mut socket, &[network])?.is_empty() {
        ask("--remove-interface", &network.link);
    }
    Ok(())
}

/// The networks whose bridges are in no zone of their own; none where there is no firewalld.
fn missing<'a>(socket: &mut Socket, networks: &[&'a Network]) -> Result<Vec<&'a Network>> {
    let Some(rules) = rules(socket)? else { return Ok(Vec::new()) };
    let is_named = |network: &Network| rules.iter().any(|rule| names(&rule.expressions, &network.link));
    Ok(networks.iter().copied().filter(|network| network.is_bridge() && !is_named(network)).collect())
}

fn rules(socket: &mut Socket) -> Result<Option<Vec<nft::Rule>>> {
    // A kernel without nftables knows nothing of the question.
    if socket.generation().is_err() || nft::get_chain(socket, SCOPE, ZONES)?.is_none() {
        return Ok(None);
    }
    let rules = nft::dump_rules(socket, SCOPE, Some(ZONES))?;
    Ok(Some(rules.into_iter().map(|(_, rule)| rule).collect()))
}

/// Whether a rule is about packets from this link: `iifname "phial0"`, whose name may be followed by any number of NULs.
fn names(expressions: &[Expression], link: &str) -> bool {
    let is_name = |value: &[u8]| {
        let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
        &value[..end] == link.as_bytes()
    };
    expressions.windows(2).any(|pair| match pair {
        [Expression::Meta { key: MetaKey::IifName, .. }, Expression::Cmp { value, .. }] => is_name(value),
        _ => false,
    })
}

fn ask(what: &str, link: &str) {
    let Some(program) = program::find("firewall-cmd") else { return };
    for for_good in [&[][..], &["--permanent"]] {
        let mut command = Command::new(&program);
        command.arg("--quiet").args(for_good).args(["--zone=trusted", &format!("{what}={link}")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
    }
}
