//! `kill -9` where it hurts: a build of the program that dies at chosen points, and a way to have every operation die at
//! each of them. The points are `sys::fault`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde_json::Value;

use crate::process::run;
use crate::{Context, Failure, Output, Phial, Result};

/// Set by `cargo xtask test`: the program that dies where it is told to.
pub const PROGRAM: &str = "PHIAL_FAULT_PROGRAM";

/// The directory with what tells the program where to die, and with what it passes.
pub(crate) const DIRECTORY: &str = "PHIAL_FAULTS";
/// Begins the line of the log that a process writes in the moment of its death.
const DIED: &str = "died at ";

/// The program that dies where it is told to, with an empty root.
///
/// # Errors
/// It was not built.
pub fn phial() -> Result<Phial> {
    let phial = Phial::of(program()?)?;
    fs::create_dir(directory(phial.scratch()))?;
    Ok(phial)
}

fn program() -> Result<PathBuf> {
    let built = || crate::target().join("x86_64-unknown-linux-musl/debug/phial");
    let program = std::env::var_os(PROGRAM).map_or_else(built, PathBuf::from);
    if program.is_file() {
        return Ok(program);
    }
    let hint = "'cargo build -p phial --features fault-points' builds it";
    Err(Failure::new(format!("{} is not built: {hint}", program.display())))
}

/// One command, and what must be true around it.
pub struct Operation<'a> {
    /// The command line.
    pub words: &'a [&'a str],
    /// Brings the store to where the command begins, whatever an earlier attempt left.
    pub before: &'a dyn Fn(&Phial) -> Result,
    /// What must be true after it, killed or not: it happened or it did not.
    pub after: &'a dyn Fn(&Phial) -> Result,
}

/// Lets an operation die at every point that it passes, each time it passes it; after that, lets the command that clears
/// away what was left die at every point that *it* passes. Checks the store after each. Returns how many deaths there
/// were.
///
/// # Errors
/// The first thing that was not right, with the points.
pub fn at_every_point(phial: &Phial, operation: &Operation<'_>) -> Result<usize> {
    let mut deaths = 0;
    for point in points(phial, operation)? {
        let at = format!("`phial {}`, killed at {point:?}", operation.words.join(" "));
        for of_recovery in die(phial, operation, &point, None, &mut deaths).context(&at)? {
            let at = format!("{at}, and `phial {}` at {of_recovery:?}", RECOVERY.join(" "));
            die(phial, operation, &point, Some(&of_recovery), &mut deaths).context(at)?;
        }
    }
    Ok(deaths)
}

/// Any command that lists clears away what was left.
const RECOVERY: &[&str] = &["ps", "-a"];

/// One or two deaths, and what comes after. Returns the points that the recovery passes.
fn die(
    phial: &Phial,
    operation: &Operation<'_>,
    point: &str,
    of_recovery: Option<&str>,
    deaths: &mut usize,
) -> Result<Vec<String>> {
    let died = |phial: &Phial| Ok::<bool, Failure>(passed(phial)?.iter().any(|line| line.starts_with(DIED)));
    (operation.before)(phial)?;
    attempt(phial, operation.words, point)?;
    *deaths += usize::from(died(phial)?);
    if let Some(point) = of_recovery {
        attempt(phial, RECOVERY, point)?;
        *deaths += usize::from(died(phial)?);
    }
    attempt(phial, RECOVERY, "")?.success()?;
    let points = numbered(passed(phial)?);
    whole(phial)?;
    (operation.after)(phial)?;
    Ok(points)
}

/// The store is as it should be: nothing is lost, and nothing is left that does not belong there.
///
/// # Errors
/// What `phial system check` finds, and cgroups of containers that are gone.
pub fn whole(phial: &Phial) -> Result {
    // A supervisor goes on when the command that has asked it is killed: what is seen while it begins or ends is neither
    // the one thing nor the other.
    loop {
        let before = supervisors(phial)?;
        let looked = is_whole(phial);
        if looked.is_ok() || supervisors(phial)? == before {
            return looked;
        }
    }
}

/// All that live, with what they say of themselves, once none of them is about to begin or to end.
fn supervisors(phial: &Phial) -> Result<BTreeMap<PathBuf, String>> {
    let containers = phial.run_dir().join("containers");
    loop {
        let directories = fs::read_dir(&containers).into_iter().flatten().flatten().map(|entry| entry.path());
        let live = directories.filter(|directory| lives(directory));
        let told = |directory: PathBuf| {
            let status = fs::read_to_string(directory.join("status.json"));
            (directory, status.ok())
        };
        let told: Vec<(PathBuf, Option<String>)> = live.map(told).collect();
        if told.iter().all(|(_, status)| status.is_some()) {
            return Ok(told.into_iter().filter_map(|(directory, status)| Some((directory, status?))).collect());
        }
        phial.ok(RECOVERY)?;
    }
}

/// Whether somebody holds the container's lock.
fn lives(directory: &Path) -> bool {
    let lock = fs::File::open(directory.join("lock"));
    lock.is_ok_and(|lock| flock(lock, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK))
}

fn is_whole(phial: &Phial) -> Result {
    phial.ok(RECOVERY)?;
    let checked = phial.ok(&["system", "check"])?;
    if checked.contains("network lease") {
        return Err(Failure::new(format!("something is left on networks: {checked}")));
    }
    networks_are_whole(phial)?;
    let there = phial.ok(&["ps", "-aq", "--no-trunc"])?;
    let created =
        phial.ok(&["events", "--since", "0", "--until", "0s", "-f", "event=create", "--format", "{{.ID}}"])?;
    let gone = |id: &&str| !there.contains(id);
    match created.lines().filter(gone).find_map(cgroup_of) {
        Some(left) => Err(Failure::new(format!("{} is left of a container that is gone", left.display()))),
        None => Ok(()),
    }
}

/// Who is on the networks lives, who lives is on his networks and no others, and bridges and chains are those of networks. What else is in
/// the firewall, and which links are there, `system check` has looked at.
///
/// # Errors
/// The first thing that is not so.
pub fn networks_are_whole(phial: &Phial) -> Result {
    let networks = phial.ok(&["network", "ls", "-q", "--no-trunc"])?;
    let registered = registered(phial, &networks)?;
    let listed = phial.ok(&["ps", "-q", "--no-trunc"])?;
    let listed: BTreeSet<&str> = listed.lines().collect();
    if let Some((network, container)) = registered.iter().find(|(_, container)| !listed.contains(&**container)) {
        return Err(Failure::new(format!("{container}, which does not run, has a place on network {network}")));
    }
    let connected = connected(phial, &listed)?;
    if let Some((network, container)) = connected.difference(&registered).next() {
        return Err(Failure::new(format!("{container} runs and has no place on network {network}")));
    }
    if let Some((network, container)) = registered.difference(&connected).next() {
        return Err(Failure::new(format!("{container} has a place on network {network}, and does not know of it")));
    }
    if phial.has_host_of_its_own() { nothing_is_left_of_networks(phial, &networks) } else { Ok(()) }
}

/// Network and container of each place in the registers.
fn registered(phial: &Phial, networks: &str) -> Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(phial.run_dir().join("networks")).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let register: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let id = register["network"]["id"].as_str().context("a register has an id")?;
        if !networks.lines().any(|network| network == id) {
            return Err(Failure::new(format!("{} is of a network that is gone", path.display())));
        }
        for place in register["endpoints"].as_array().context("endpoints are a list")? {
            let container = place["container"].as_str().context("a place is a container's")?;
            found.insert((id.to_owned(), container.to_owned()));
        }
    }
    Ok(found)
}

/// Network and container of each place that there must be: of those that run, and have a network of their own.
fn connected(phial: &Phial, listed: &BTreeSet<&str>) -> Result<BTreeSet<(String, String)>> {
    if listed.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ids: Vec<&str> = listed.iter().copied().collect();
    let all: Value = serde_json::from_str(&phial.ok(&[&["inspect"], &ids[..]].concat())?)?;
    let containers = all.as_array().into_iter().flatten().filter(|container| {
        let mode = container["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
        // One that waits to be started anew has no place meanwhile.
        let runs = container["State"]["Running"] == true && container["State"]["Restarting"] != true;
        runs && mode != "none" && mode != "host" && !mode.starts_with("container:")
    });
    let places = containers.flat_map(|container| {
        let id = container["Id"].as_str().unwrap_or_default();
        let places = container["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
        places.map(move |(_, place)| (place["NetworkID"].as_str().unwrap_or_default().to_owned(), id.to_owned()))
    });
    Ok(places.collect())
}

/// Bridges, and chains of the firewall: those of networks that are there, and no others.
fn nothing_is_left_of_networks(phial: &Phial, networks: &str) -> Result {
    let tell = |program: &str, arguments: &[&str]| run(&mut phial.there(program, arguments))?.success();
    let bridges = tell("ip", &["-o", "link", "show", "type", "bridge"])?;
    let bridges = bridges.lines().filter_map(|line| line.split(": ").nth(1));
    let rules = tell("nft", &["list", "ruleset"])?;
    let chains = rules.lines().filter_map(|line| line.trim().strip_prefix("chain ")?.strip_suffix(" {"));
    for name in bridges.chain(chains) {
        // Bridges of others have names of another length after it.
        let id = name.rsplit_once("br-").map(|(_, id)| id).filter(|id| id.len() == 12);
        if id.is_some_and(|id| !networks.lines().any(|network| network.starts_with(id))) {
            return Err(Failure::new(format!("{name} is of a network that is gone")));
        }
    }
    Ok(())
}

/// A cgroup of the container with this id, if there is one.
fn cgroup_of(id: &str) -> Option<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let name = format!("phial-{id}");
    [root.to_owned()].into_iter().chain(hierarchies).map(|hierarchy| hierarchy.join(&name)).find(|path| path.is_dir())
}

/// The points that an operation passes when nobody kills it: `NAME#N` for the Nth time.
fn points(phial: &Phial, operation: &Operation<'_>) -> Result<Vec<String>> {
    (operation.before)(phial)?;
    attempt(phial, operation.words, "")?.success()?;
    let points = numbered(passed(phial)?);
    (operation.after)(phial)?;
    if points.is_empty() {
        return Err(Failure::new(format!("`phial {}` passes no point", operation.words.join(" "))));
    }
    Ok(points)
}

/// Each name with the number of times it has come so far.
fn numbered(names: Vec<String>) -> Vec<String> {
    let mut times = BTreeMap::new();
    let number = |name: String| {
        let time = times.entry(name.clone()).and_modify(|time| *time += 1).or_insert(1);
        format!("{name}#{time}")
    };
    names.into_iter().map(number).collect()
}

/// Runs the command. Who dies at `point` is the command itself, a supervisor that it starts, or one that runs.
fn attempt(phial: &Phial, words: &[&str], point: &str) -> Result<Output> {
    let directory = directory(phial.scratch());
    fs::write(directory.join("passed"), "")?;
    fs::write(directory.join("die-at"), point)?;
    let output = phial.run(words);
    fs::remove_file(directory.join("die-at"))?;
    output
}

/// What the processes have passed.
fn passed(phial: &Phial) -> Result<Vec<String>> {
    let path = directory(phial.scratch()).join("passed");
    Ok(fs::read_to_string(&path).context(path.display())?.lines().map(str::to_owned).collect())
}

/// The directory of a program whose own directory is `scratch`.
pub(crate) fn directory(scratch: &Path) -> PathBuf {
    scratch.join("faults")
}
