//! Networks: what a bridge costs a start, and what goes through it, beside docker and podman. All of it is on a host of its
//! own, a network namespace with a machine beside it: bridges and rules of the peers are seen by nobody else, and every
//! peer's packets pass the rules of all of them.
//!
//! Docker has no process per published port (`userland-proxy`), which is its faster way in every respect.

/// Many containers on one network.
mod crowd;
/// Names.
mod names;
/// Two containers on one network.
mod pair;
/// Starts with a network.
mod starts;
/// What goes through a network, and how fast.
mod traffic;

use std::path::Path;

use end_to_end::engines::{Docker, Podman};
use end_to_end::lan::Lan;
use end_to_end::process::run;
use end_to_end::{Context, Result, images};

use self::pair::Pair;
use super::options::Options;
use super::peer::Peer;
use super::phial::Phial;
use super::report::Report;
use super::{directories, docker, in_memory, phial, podman, serve};
use crate::say;

type Peers = [Box<dyn Peer>];

/// Adds the tables.
///
/// # Errors
/// A peer cannot do what is measured.
pub(super) fn measure(report: &mut Report, options: &Options, program: &Path, images: &Path) -> Result {
    let (dir, memory) = directories()?;
    in_memory(dir.path(), memory.path())?;
    let lan = Lan::new()?;
    // What a thread starts is in its namespace, so that no time is measured of a program that enters it.
    lan.host.within(|| {
        let registry = serve(images)?;
        let image = registry.name(images::BUSYBOX);
        let peers = peers(report, options, program, dir.path(), &lan, &image)?;
        let result = tables(report, &peers, options, &lan, &image);
        for peer in &peers {
            end(peer.as_ref())?;
        }
        result
    })
}

fn tables(report: &mut Report, peers: &Peers, options: &Options, lan: &Lan, image: &str) -> Result {
    report.add(starts::bridge(peers, image, options.runs)?);
    report.add(starts::published(peers, image, options.runs)?);
    let those = |name: &str| peers.iter().find(|peer| peer.name() == name).map(Box::as_ref).context(name);
    let both = [those(phial::NAME)?, those(docker::NAME)?];
    let pairs = both.iter().zip([8000, 9000]).map(|(peer, ports)| Pair::start(*peer, image, ports));
    let pairs = pairs.collect::<Result<Vec<Pair>>>()?;
    traffic::throughput(&pairs, lan, options.pulls)?.into_iter().for_each(|table| report.add(table));
    report.add(traffic::latency(&pairs, lan)?);
    names::measure(&pairs)?.into_iter().for_each(|table| report.add(table));
    crowd::measure(both, image)?.into_iter().for_each(|table| report.add(table));
    Ok(())
}

/// Phial, docker, and podman where its bridge works.
fn peers(
    report: &mut Report,
    options: &Options,
    program: &Path,
    dir: &Path,
    lan: &Lan,
    image: &str,
) -> Result<Vec<Box<dyn Peer>>> {
    let mut peers: Vec<Box<dyn Peer>> = vec![Box::new(Phial::new(program, dir))];
    peers.push(Box::new(Docker::without_proxy_on(&dir.join("docker"), &lan.host)?));
    if options.has_peer(podman::NAME) {
        peers.push(Box::new(Podman::new(&dir.join("podman"), podman::RUNTIME)?));
    }
    for peer in &mut peers {
        peer.prepare(image).context(peer.name())?;
        report.peer(peer.name(), &peer.version()?);
    }
    peers.retain(|peer| peer.name() != podman::NAME || has_bridge(peer.as_ref(), image));
    Ok(peers)
}

/// Whether a container on the default bridge runs; if not, why not is said.
fn has_bridge(peer: &dyn Peer, image: &str) -> bool {
    let tried = docker(peer, &["run", "--rm", image, "true"]).map(drop);
    if let Err(failure) = &tried {
        say::line(&format!("{} is left out: {failure}", peer.name()));
    }
    tried.is_ok()
}

/// What a command line in docker's words prints, which must succeed.
fn docker(peer: &dyn Peer, words: &[&str]) -> Result<String> {
    let mut command = peer.docker(words).context(format!("{} has docker's words", peer.name()))?;
    Ok(run(&mut command)?.success()?.trim().to_owned())
}

/// Removes every container, several with one command.
fn end(peer: &dyn Peer) -> Result {
    let ids = docker(peer, &["ps", "--all", "--quiet"])?;
    let ids: Vec<&str> = ids.lines().collect();
    ids.chunks(100).try_for_each(|some| docker(peer, &[&["rm", "--force"], some].concat()).map(drop))
}
