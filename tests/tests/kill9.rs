//! kill -9 of the command line at random moments, 120 times: the container survives or never was, the next command
//! works, and no mount is left.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::process::Stdio;
use std::time::{Duration, Instant};

use end_to_end::leftovers::{adopt_orphans, settle};
use end_to_end::process::Running;
use end_to_end::{Phial, Result, Stage, images};
use rustix::process::Signal;

/// How often each kind is tried.
const TIMES: u32 = 40;

/// A random part of this much time.
fn moment(of: Duration) -> Duration {
    let random = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or(0);
    of.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// Starts a command and kills it when the moment has come, unless it has ended by then.
fn killed_after(phial: &Phial, arguments: &[&str], moment: Duration) -> Result {
    let mut command = phial.command(arguments);
    let mut process = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    process.ends_within(moment)?;
    process.signal(Signal::KILL)?;
    process.wait().map(drop)
}

fn mounts() -> Result<String> {
    std::fs::read_to_string("/proc/self/mountinfo").map_err(Into::into)
}

/// How long a command takes when it is left alone.
fn duration(phial: &Phial, arguments: &[&str]) -> Result<Duration> {
    let begun = Instant::now();
    phial.ok(arguments)?;
    Ok(begun.elapsed())
}

#[test]
fn during_a_pull() -> Result {
    let registry = images::registry()?;
    let image = registry.name(images::DEBIAN);
    let phial = Phial::new()?;
    let whole = duration(&Phial::new()?, &["pull", &image])?;
    let before = mounts()?;
    for round in 0..TIMES {
        let moment = moment(whole);
        killed_after(&phial, &["pull", &image], moment)?;
        assert_eq!(mounts()?, before, "round {round}, after {moment:?}");
        // The next command works; what is listed can be run.
        if phial.ok(&["images"])?.contains("debian") {
            let printed = phial.ok(&["run", "--rm", &image, "cat", "/opt/phial/stays"])?;
            assert_eq!(printed, "stays", "round {round}, after {moment:?}");
            phial.ok(&["rmi", &image])?;
        }
    }
    phial.ok(&["pull", &image])?;
    phial.ok(&["run", "--rm", &image, "dpkg", "--verify", "bash"])?;
    // What the killed ones had begun is collected: nothing is left but what one pull leaves.
    phial.ok(&["rmi", &image])?;
    let rest = files_below(&phial.root().join("tmp"))?;
    assert_eq!(rest, Vec::<String>::new());
    Ok(())
}

fn files_below(dir: &std::path::Path) -> Result<Vec<String>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let names =
        std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    names.collect::<std::io::Result<_>>().map_err(Into::into)
}

#[test]
fn during_create() -> Result {
    each_survives_or_never_was(&["-d"])
}

#[test]
fn while_attached() -> Result {
    each_survives_or_never_was(&[])
}

fn each_survives_or_never_was(flags: &[&str]) -> Result {
    let stage = Stage::busybox()?;
    adopt_orphans()?;
    let phial = &stage.phial;
    let whole = start(phial, &stage.image)?;
    let before = mounts()?;
    let mut survived = 0;
    for round in 0..TIMES {
        let name = format!("round-{round}");
        let arguments = [&["run", "--name", &name], flags, &[&stage.image, "sleep", "1000"]].concat();
        let moment = moment(whole * 2);
        killed_after(phial, &arguments, moment)?;
        assert_eq!(mounts()?, before, "{name}, after {moment:?}");
        survived += u32::from(is_alive_or_absent(phial, &name, moment)?);
        // The name is free again, whatever happened.
        phial.ok(&["run", "--rm", "--name", &name, &stage.image, "true"])?;
    }
    assert_eq!(phial.containers()?, Vec::<String>::new());
    // Twice the time that it takes to start: some were killed before, some after.
    assert!(survived > 0 && survived < TIMES, "{survived} of {TIMES} survived");
    let rest = settle(&[stage.registry.pid()]);
    assert!(rest.is_empty(), "processes are left: {rest:?}");
    Ok(())
}

/// How long a start takes at best: the first one, with everything cold, would put most moments after the end.
fn start(phial: &Phial, image: &str) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        best = best.min(duration(phial, &["run", "-d", "--name", "measured", image, "sleep", "1000"])?);
        phial.ok(&["rm", "-f", "measured"])?;
    }
    Ok(best)
}

/// Whether it runs; if it does it can be worked with, and if not there is nothing of it.
fn is_alive_or_absent(phial: &Phial, name: &str, moment: Duration) -> Result<bool> {
    let mut row = row(phial, name)?;
    // Its supervisor may be on the way: it no longer needs the command that was killed, and gets there or gives up.
    while row.as_ref().is_some_and(|row| row.contains("Created")) {
        row = self::row(phial, name)?;
    }
    let Some(row) = row else { return Ok(false) };
    assert!(row.contains("Up "), "{name}, killed after {moment:?}, is neither running nor absent: {row}");
    assert_eq!(phial.ok(&["exec", name, "echo", "alive"])?, "alive");
    phial.ok(&["rm", "-f", name])?;
    Ok(true)
}

fn row(phial: &Phial, name: &str) -> Result<Option<String>> {
    Ok(phial.ok(&["ps", "-a"])?.lines().find(|line| line.ends_with(name)).map(str::to_owned))
}
