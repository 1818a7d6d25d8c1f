//! `cargo xtask bench`: Phial and its peers side by side, in one run, each measurement interleaved (A B C A B C …)
//! because machines are never the same for long. Prints medians and ratios, and writes everything as JSON. The
//! daemons that it needs are its own, on private directories and sockets, and are stopped by it.

/// A large image on its way out.
mod archives;
/// Dockerfiles.
mod build;
/// containerd and ctr.
mod containerd;
/// dockerd and its client.
mod docker;
/// A large image, made once.
mod large;
/// Many containers.
mod many;
/// Memory that stays per container.
mod memory;
/// Bridges, ports and names, on a host of their own.
mod network;
/// The words after `bench`.
mod options;
/// What every peer can do.
mod peer;
/// phial.
mod phial;
/// podman.
mod podman;
/// Tables, budgets and JSON.
mod report;
/// Rounds of one measurement after the other.
mod rounds;
/// OCI runtimes without an engine.
mod runtimes;

use std::fs;
use std::path::Path;

use end_to_end::engines::{Containerd, Docker, Podman};
use end_to_end::leftovers::{self, Snapshot};
use end_to_end::process::run;
use end_to_end::registry::{Access, Options as RegistryOptions, Registry};
use end_to_end::{Context, Failure, Result, images};
use tempfile::TempDir;

use self::options::{Measurement, Options};
use self::peer::Peer;
use self::report::Report;
use crate::{programs, say, setup};

pub(crate) use self::options::HELP;
pub(crate) use self::runtimes::{INSIDE, inside};

/// Installs the peers, measures, reports.
///
/// # Errors
/// What is missing, which command did not succeed, or what was left on the host.
pub(crate) fn main(words: &[String]) -> Result {
    let options = Options::parse(words)?;
    setup::build()?;
    setup::packages(setup::DEMO)?;
    setup::packages(setup::TESTS)?;
    setup::packages(setup::RUNTIMES)?;
    setup::packages(setup::ENGINES)?;
    if options.measures(Measurement::Network) {
        setup::packages(setup::NETWORK)?;
    }
    let phial = if options.has_peer(phial::NAME) { Some(programs::build()?) } else { None };
    let small = images::prepare()?;
    let large = if options.needs_large_image() { Some(large::prepare()?) } else { None };

    leftovers::adopt_orphans()?;
    let before = Snapshot::take();
    let report = measure(&options, phial.as_deref(), &small, large.as_deref())?;
    clean(&before);
    let path = report.write()?;
    say::text(&report.table());
    say::line(&format!("\nall samples are in {}", path.display()));
    let left = Snapshot::take().since(&before);
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("left on the host:\n  {}", left.join("\n  "))))
}

fn measure(options: &Options, phial: Option<&Path>, small: &Path, large: Option<&Path>) -> Result<Report> {
    let (dir, memory) = directories()?;
    let mut report = Report::new();
    if options.measures(Measurement::Runtime) {
        runtimes::measure(&mut report, options.runs, dir.path())?;
    }
    if let (true, Some(program)) = (options.measures(Measurement::Network), phial) {
        network::measure(&mut report, options, program, small)?;
    }
    if !options.needs_engines() {
        return Ok(report);
    }
    let registry = serve(small)?;
    let image = registry.name(images::BUSYBOX);
    let mut peers = start(options, phial, dir.path(), memory.path())?;
    for peer in &mut peers {
        peer.prepare(&image).context(peer.name())?;
        report.peer(peer.name(), &peer.version()?);
    }
    if options.measures(Measurement::Run) {
        report.add(rounds::run_true(&peers, &image, options.runs)?);
    }
    if options.measures(Measurement::Exec) {
        report.add(rounds::exec_true(&peers, &image, options.runs)?);
    }
    if options.measures(Measurement::Memory) {
        for containers in [1, 25] {
            report.add(memory::per_container(&peers, &image, containers)?);
        }
    }
    if options.measures(Measurement::Many) {
        many::parallel(&peers, &image)?.into_iter().for_each(|table| report.add(table));
    }
    if options.measures(Measurement::Lists) {
        many::lists(&peers, &image, options.runs)?.into_iter().for_each(|table| report.add(table));
    }
    if options.measures(Measurement::Build) {
        build::measure(&peers, &image, options, dir.path())?.into_iter().for_each(|table| report.add(table));
    }
    let Some(storage) = large else { return Ok(report) };
    let registry = serve(storage)?;
    let image = registry.name(large::IMAGE);
    if options.measures(Measurement::Pull) {
        let fresh = |round: usize| start(options, phial, &dir.path().join(format!("pull-{round}")), memory.path());
        report.add(rounds::pull(&fresh, &image, options.pulls)?);
    }
    if options.measures(Measurement::Push) || options.measures(Measurement::Save) {
        for peer in &mut peers {
            run(&mut peer.pull(&image))?.success()?;
        }
    }
    if options.measures(Measurement::Push) {
        let peers: Vec<&dyn Peer> = peers.iter().map(Box::as_ref).collect();
        let title = "push of five layers, 800 MB, to an empty registry";
        report.add(archives::push(&peers, title, &image, options.pulls)?);
    }
    if options.measures(Measurement::Save) {
        report.add(archives::save(&peers, &image, options.pulls, dir.path())?);
    }
    Ok(report)
}

/// A registry with these images, which nobody can change.
fn serve(storage: &Path) -> Result<Registry> {
    let storage = Some(storage.to_owned());
    let options = RegistryOptions { storage, read_only: true, access: Access::Anonymous, ..RegistryOptions::default() };
    Registry::with(options)
}

/// A directory on the disk, and one in memory.
fn directories() -> Result<(TempDir, TempDir)> {
    let temporary = || tempfile::Builder::new().prefix("phial-bench-").to_owned();
    Ok((temporary().tempdir()?, temporary().tempdir_in("/dev/shm")?))
}

/// What each peer has below /run when it is installed, by its name in its directory.
const VOLATILE: [&str; 6] =
    ["phial/run", "docker/exec", "docker/containerd/state", "containerd/state", "podman/run", "podman/tmp"];

/// Starts the peers with directories below `dir`, but for what is on a tmpfs wherever they are installed.
fn start(options: &Options, phial: Option<&Path>, dir: &Path, memory: &Path) -> Result<Vec<Box<dyn Peer>>> {
    in_memory(dir, memory)?;
    let mut peers: Vec<Box<dyn Peer>> = Vec::new();
    let wanted = |name: &str| options.has_peer(name);
    if let Some(program) = phial {
        peers.push(Box::new(phial::Phial::new(program, dir)));
    }
    if wanted(docker::NAME) {
        peers.push(Box::new(Docker::start(&dir.join("docker"))?));
    }
    if wanted(containerd::NAME) {
        peers.push(Box::new(Containerd::start(&dir.join("containerd"))?));
    }
    if wanted(podman::NAME) {
        peers.push(Box::new(Podman::new(&dir.join("podman"), podman::RUNTIME)?));
    }
    Ok(peers)
}

/// Puts below `memory`, a tmpfs, what is on one wherever the peers are installed.
fn in_memory(dir: &Path, memory: &Path) -> Result {
    for name in VOLATILE {
        let (there, here) = (memory.join(dir.strip_prefix("/").unwrap_or(dir)).join(name), dir.join(name));
        fs::create_dir_all(&there).context(there.display())?;
        fs::create_dir_all(here.parent().unwrap_or(dir)).context(here.display())?;
        std::os::unix::fs::symlink(there, &here).context(here.display())?;
    }
    Ok(())
}

/// The name of this run, for what peers would otherwise share with another one on the same host.
fn mark() -> String {
    format!("phial-bench-{}", std::process::id())
}

/// What the peers leave even when they are stopped in order: parents of their cgroups, lock files, directories.
fn clean(before: &Snapshot) {
    let cgroups = [mark().as_str(), "libpod_parent"].map(str::to_owned);
    let mut left = Snapshot::take().since(before);
    // Children first.
    left.reverse();
    for thing in left {
        let path = thing.split_once(" /").map(|(_, path)| format!("/{path}")).unwrap_or_default();
        if thing.starts_with("cgroup ") && cgroups.iter().any(|name| path.contains(name)) {
            // One that is still in use stays, and is reported.
            let _ = std::fs::remove_dir(path);
        } else if thing.starts_with("shared memory ") && path.contains("libpod") {
            let _ = std::fs::remove_file(path);
        }
    }
}
