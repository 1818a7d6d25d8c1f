//! Networks: rows, registers, what lives, and what the kernel has of them.
//!
//! A bridge that is missing is no damage as long as nobody is on its network, nor is a register: after a boot the first
//! container makes both.

use std::fs;

use net::stray::Strays;

use super::{CheckOptions, CheckReport};
use crate::engine::Engine;
use crate::error::Result;
use crate::networks::collect::Known;

/// What mends most of this.
const REPAIR: &str = "phial system check --repair";

pub(super) fn check(engine: &Engine, how: CheckOptions, report: &mut CheckReport) -> Result<()> {
    for row in engine.store().networks()? {
        report.networks += 1;
        if let Err(error) = engine.network(&row.id) {
            report.found(error.to_string(), format!("phial network rm {}, and create it anew", row.name));
        }
    }
    let (_, unreadable) = engine.registers().readable()?;
    for (network, why) in &unreadable {
        register(engine, network, why, how, report)?;
    }
    if !unreadable.is_empty() && !how.repair {
        // Of the rest, nothing can be said.
        return Ok(());
    }
    unnoted(engine, how, report)?;
    let left = engine.network_leftovers(&Known::default())?;
    report.left_on_networks = left.endpoints + left.networks;
    if how.repair {
        engine.collect_networks()?;
    }
    strays(engine, how, report)
}

/// A register is begun anew; what belongs into it the supervisors know.
fn register(engine: &Engine, id: &str, why: &net::Error, how: CheckOptions, report: &mut CheckReport) -> Result<()> {
    let network = engine.store().network(id).ok().and_then(|row| engine.network(&row.id).ok());
    let name = network.as_ref().map_or(id, |network| network.name.as_str());
    let what = format!("network {name}: its register {why}");
    if !how.repair {
        report.found(what, format!("{REPAIR} writes it anew, from what runs"));
        return Ok(());
    }
    let registers = engine.registers();
    let locked = registers.lock()?;
    // Another may have mended it meanwhile.
    if registers.read(id).is_ok() {
        return Ok(());
    }
    match &network {
        Some(network) => locked.begin(network)?,
        None => locked.remove(id)?,
    }
    report.repaired(what, "written anew");
    Ok(())
}

/// Containers that run, and whose places no register has.
fn unnoted(engine: &Engine, how: CheckOptions, report: &mut CheckReport) -> Result<()> {
    for record in engine.store().containers()? {
        let container = match engine.container(&record.id.hex()) {
            Err(_) => continue,
            Ok(container) if !container.state.is_running() => continue,
            Ok(container) => container,
        };
        for network in engine.unnoted_networks(&container)? {
            let what = format!("container {}: the register of network {} does not have it", record.name, network.name);
            if !how.repair {
                report.found(what, format!("{REPAIR} asks its supervisor"));
                continue;
            }
            engine.note_networks(&container)?;
            if engine.unnoted_networks(&container)?.iter().any(|still| still.id == network.id) {
                report.found(what, format!("phial restart {}", record.name));
            } else {
                report.repaired(what, "its supervisor has written down what it has");
            }
        }
    }
    Ok(())
}

/// What the kernel has that belongs to nobody, and what it lacks.
fn strays(engine: &Engine, how: CheckOptions, report: &mut CheckReport) -> Result<()> {
    // Whoever has never had a network has nothing in the kernel, and a check makes nothing.
    if fs::symlink_metadata(engine.paths().run_networks()).is_err() {
        return Ok(());
    }
    let realm = engine.realm()?;
    let strays = realm.strays()?;
    if strays.is_empty() {
        return Ok(());
    }
    if how.repair {
        realm.put_right(&strays)?;
    }
    for (what, remedy, done) in describe(&strays) {
        if how.repair {
            report.repaired(what, done);
        } else {
            report.found(what, remedy);
        }
    }
    Ok(())
}

/// Each with what helps, and what was done.
fn describe(strays: &Strays) -> Vec<(String, &'static str, &'static str)> {
    let (removes, reloads) = ("phial system check --repair removes it", "phial network reload puts it back");
    let link = |link: &String| (format!("link {link} is on a bridge, and no container's"), removes, "removed");
    let rule = |rule: &String| (format!("firewall: {rule}, which is on no network"), removes, "removed");
    let bridge = |bridge: &String| (format!("bridge {bridge} is missing, and containers are on it"), reloads, "made");
    let astray = |link: &String| (format!("link {link} is not on its bridge any more"), reloads, "put back");
    let mut all: Vec<_> = strays.links.iter().map(link).collect();
    all.extend(strays.astray.iter().map(astray));
    all.extend(strays.rules.iter().map(rule));
    all.extend(strays.bridges.iter().map(bridge));
    if strays.lacks_rules {
        all.push(("firewall: rules of networks are missing".to_owned(), reloads, "put back"));
    }
    all
}
