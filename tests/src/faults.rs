//! `kill -9` where it hurts: a build of the program that dies at chosen points, and a way to have every operation die at
//! each of them. The points are `sys::fault`'s.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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

/// What is on the networks lives, what does not live is on none, and bridges are those of networks. What is in the firewall,
/// and which links are there, `system check` has looked at.
fn networks_are_whole(phial: &Phial) -> Result {
    let running = phial.ok(&["ps", "-q", "--no-trunc"])?;
    let networks = phial.ok(&["network", "ls", "-q", "--no-trunc"])?;
    for entry in fs::read_dir(phial.run_dir().join("networks")).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let register: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
        let id = register["network"]["id"].as_str().unwrap_or_default();
        if !networks.contains(id) {
            return Err(Failure::new(format!("{} is of a network that is gone", path.display())));
        }
        let places = register["endpoints"].as_array().into_iter().flatten();
        let gone = |place: &&serde_json::Value| !running.contains(place["container"].as_str().unwrap_or("none"));
        if let Some(place) = places.into_iter().find(gone) {
            return Err(Failure::new(format!("{}: nobody lives at {place}", path.display())));
        }
    }
    let bridges = crate::process::run(&mut phial.there("ip", &["-o", "link", "show", "type", "bridge"]))?.success()?;
    let names = bridges.lines().filter_map(|line| line.split(": ").nth(1));
    match names
        .filter_map(|name| name.strip_prefix("br-"))
        .find(|id| !networks.lines().any(|network| network.starts_with(id)))
    {
        // The host of the test may be one on which others have networks as well.
        Some(left) if phial.has_host_of_its_own() => {
            Err(Failure::new(format!("bridge br-{left} is of a network that is gone")))
        }
        _ => Ok(()),
    }
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
