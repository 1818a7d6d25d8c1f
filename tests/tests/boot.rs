//! `system boot` and `system shutdown`: what comes back after a reboot, and what does not.

use end_to_end::followed::Followed;
use end_to_end::{Phial, Result, Stage, supervisor};
use rustix::process::{Signal, kill_process};

fn state(phial: &Phial, name: &str) -> Result<String> {
    Ok(phial.inspect(name)?["State"]["Status"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn what_should_be_running_comes_back() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let sleep = |name: &str, policy: &str| stage.start(&["--name", name, "--restart", policy], &["sleep", "1000"]);
    sleep("always-ran", "always")?;
    sleep("always-stopped", "always")?;
    sleep("unless-ran", "unless-stopped")?;
    sleep("unless-stopped", "unless-stopped")?;
    sleep("unless-killed", "unless-stopped")?;
    sleep("failure-ran", "on-failure")?;
    sleep("failure-stopped", "on-failure")?;
    stage.start(&["--name", "plain"], &["sleep", "1000"])?;
    phial.ok(&["create", "--name", "new", "--restart", "always", &stage.image, "sleep", "1000"])?;
    stage.start(&["--name", "given-up", "--restart", "on-failure:1"], &["false"])?;
    let mut events = Followed::events(phial, "given-up")?;
    events.wait_for("die")?;
    events.wait_for("die")?;
    phial.ok(&["wait", "given-up"])?;
    phial.ok(&["stop", "-t", "0", "always-stopped", "unless-stopped", "failure-stopped"])?;
    phial.ok(&["kill", "unless-killed"])?;
    phial.ok(&["wait", "unless-killed"])?;

    supervisor::power_failure(phial)?;
    // Until somebody wants it, nothing is started.
    assert_eq!(phial.ok(&["ps"])?.lines().count(), 1);
    assert_eq!(phial.ok(&["system", "boot"])?, "always-ran\nalways-stopped\nunless-ran\nfailure-ran");
    for (name, expected) in [
        ("always-ran", "running"),
        ("always-stopped", "running"),
        ("unless-ran", "running"),
        ("unless-stopped", "exited"),
        ("unless-killed", "exited"),
        ("failure-ran", "running"),
        ("failure-stopped", "exited"),
        ("new", "created"),
        ("given-up", "exited"),
    ] {
        assert_eq!(state(phial, name)?, expected, "{name}");
    }
    // Once is enough.
    assert_eq!(phial.ok(&["system", "boot"])?, "");
    phial.ok(&["exec", "unless-ran", "true"])?;
    Ok(())
}

#[test]
fn a_shutdown_gives_time_and_is_nobodys_wish() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let script = "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done";
    for name in ["one", "two"] {
        stage.start_ready(&["--name", name, "--restart", "unless-stopped"], script)?;
    }
    let script = "trap 'exit 143' TERM; echo ready; sleep 1000 & wait";
    stage.start_ready(&["--name", "fails", "--restart", "on-failure"], script)?;
    let mut stopped: Vec<String> = phial.ok(&["system", "shutdown"])?.lines().map(str::to_owned).collect();
    stopped.sort();
    assert_eq!(stopped, ["fails", "one", "two"]);
    assert_eq!((state(phial, "one")?, phial.ok(&["logs", "two"])?), ("exited".to_owned(), "ready\nasked".to_owned()));
    supervisor::power_failure(phial)?;
    assert_eq!(phial.ok(&["system", "boot"])?, "one\ntwo\nfails");
    // A supervisor that is asked to end, as at a shutdown without the service, does the same.
    let id = phial.inspect("one")?["Id"].as_str().unwrap_or_default().to_owned();
    let mut log = Followed::start(phial, &["logs", "-f", "one"])?;
    for said in ["ready", "asked", "ready"] {
        log.wait_for(said)?;
    }
    kill_process(supervisor::pid(phial, &id)?, Signal::TERM)?;
    assert_eq!(phial.ok(&["wait", "one"])?, "0");
    supervisor::power_failure(phial)?;
    assert_eq!(phial.ok(&["system", "boot"])?, "one\ntwo\nfails");
    Ok(())
}

#[test]
fn what_cannot_be_started_is_said_and_stops_nothing() -> Result {
    let stage = Stage::busybox()?;
    let phial = &stage.phial;
    let source = phial.scratch().join("source");
    std::fs::create_dir(&source)?;
    let mount = format!("type=bind,source={},target=/mnt", source.display());
    stage.start(&["--name", "bound", "--restart", "always", "--mount", &mount], &["sleep", "1000"])?;
    stage.start(&["--name", "free", "--restart", "always"], &["sleep", "1000"])?;
    supervisor::power_failure(phial)?;
    std::fs::remove_dir(&source)?;
    let output = phial.run(&["system", "boot"])?.exited(1)?;
    assert_eq!(output.stdout, "free\n");
    assert!(output.stderr.contains("cannot start bound") && output.stderr.contains("does not exist"), "{output:?}");
    // It comes when what it needs is there.
    std::fs::create_dir(&source)?;
    assert_eq!(phial.ok(&["system", "boot"])?, "bound");
    Ok(())
}

#[test]
fn the_unit_names_this_program() -> Result {
    let phial = Phial::new()?;
    let unit = phial.ok(&["--root", "/srv/phial", "system", "boot", "--print-unit"])?;
    let program = end_to_end::phial::program()?;
    for verb in ["ExecStart", "ExecStop"] {
        let word = if verb == "ExecStart" { "boot" } else { "shutdown" };
        let line = format!("{verb}={} --root /srv/phial system {word}", program.canonicalize()?.display());
        assert!(unit.lines().any(|is| is == line), "{line}\n{unit}");
    }
    Ok(())
}
